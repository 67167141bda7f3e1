import CUnderstudyLinux
import Glibc

/// Open descriptors that are kept for a clean-up: it needs some exactly when the process cannot open any more.
package final class DescriptorReserve: Sendable {
    private let descriptors: Monitor<[CInt]>

    /// - Parameter path: What is to be cleaned up.
    /// - Throws: If there are fewer left; none is kept then.
    package init(_ count: Int, for path: String) throws(FileIOError) {
        descriptors = Monitor([])
        for _ in 0..<count {
            let descriptor = try SystemCall.run { understudy_eventfd() }.orThrow(
                "could not reserve descriptors for", path)
            descriptors.change { $0.append(descriptor) }
        }
    }

    deinit {
        release()
    }

    /// Closes them, so that as many can be opened again.
    package func release() {
        let open = descriptors.change { descriptors in
            defer { descriptors = [] }
            return descriptors
        }
        for descriptor in open { close(descriptor) }
    }
}
