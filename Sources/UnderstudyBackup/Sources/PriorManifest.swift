import Glibc
import UnderstudyConnection
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol

/// The manifest of an earlier backup, on which an incremental one builds: a file, or a pipe.
package final class PriorManifest {
    private let path: String
    private let file: FileDescriptor
    private let interrupt: Interrupt

    private static let pieceSize = 1 << 18

    /// Opens it, before anything is made.
    package init(_ path: String, interrupt: Interrupt) throws(UnderstudyError) {
        self.path = path
        self.interrupt = interrupt
        do throws(FileIOError) {
            let raw = try SystemCall.run { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
                .orThrow("could not open file", path)
            file = FileDescriptor(owning: raw)
        } catch { throw UnderstudyError(error, else: .target) }
    }

    /// Sends it: UPLOAD_MANIFEST. The server has judged it when this returns.
    func upload(_ session: Session) throws(UnderstudyError) {
        do throws(ConnectionError) {
            try session.send(ReplicationCommand.uploadManifest)
            guard try session.nextResult() == .copyIn else {
                throw ConnectionError(.protocolViolation, "unexpected answer to UPLOAD_MANIFEST")
            }
        } catch { throw refused(error) }
        while true {
            let piece: [UInt8]
            do throws(FileIOError) { piece = try read() } catch { throw UnderstudyError(error, else: .target) }
            if piece.isEmpty { break }
            do throws(ConnectionError) { try session.upload(piece) } catch { throw refused(error) }
        }
        do throws(ConnectionError) {
            try session.endCopy()
            while try session.nextResult() != .none {}
        } catch { throw refused(error) }
    }

    private func refused(_ error: ConnectionError) -> UnderstudyError {
        var refusal = UnderstudyError(error, attempt: "could not upload manifest")
        if error.code == .server, refusal.remedy == nil {
            refusal.hint = "Name the backup_manifest of an earlier backup of this very cluster."
        }
        return refusal
    }

    /// The next bytes; none at the end.
    private func read() throws(FileIOError) -> [UInt8] {
        while true {
            var bytes = [UInt8](repeating: 0, count: Self.pieceSize)
            // At most the array is written.
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                SystemCall.run { unsafe Glibc.read(file.rawValue, buffer.baseAddress, buffer.count) }
            }
            if case .failure(let errno) = result, errno.number == EAGAIN {
                let outcome = Interrupt.wait(
                    socket: file.rawValue, events: Int16(POLLIN), interrupts: [interrupt], timeout: nil)
                if case .interrupted = outcome { throw .interrupted(path) }
                continue
            }
            let count = try result.orThrow("could not read file", path)
            bytes.removeLast(bytes.count - count)
            return bytes
        }
    }
}
