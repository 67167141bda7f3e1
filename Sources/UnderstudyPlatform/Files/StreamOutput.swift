import CUnderstudyLinux
import Glibc

/// A pipe, socket or file that somebody else has opened, for bytes in order: standard output. Used by one thread at a time.
///
/// A reader may take its time for ever, so every wait ends with the interrupt, too. The flags of the open file are shared
/// with other processes, and stay as they are.
package final class StreamOutput: @unchecked Sendable {
    // Sendable: a feeder's writer, and after that has ended the run.
    private let descriptor: CInt
    private let interrupt: Interrupt
    /// For messages: `standard output`.
    package let path: String
    /// How a call is kept from blocking.
    private let kind: Kind
    /// Opened here, and closed with this.
    private let own: FileDescriptor?

    private enum Kind {
        /// Disks and devices are not waited for with poll(2).
        case file
        case socket
        /// Opened again, without blocking.
        case pipe
        /// poll(2) promises room for so many bytes.
        case unknown(most: Int)
    }

    /// - Parameters:
    ///   - descriptor: Stays open.
    ///   - name: For messages: `standard output`.
    ///   - interrupt: Ends each wait with an error.
    package init(_ descriptor: CInt, name: String, interrupt: Interrupt) throws(FileIOError) {
        path = name
        self.interrupt = interrupt
        var info = stat()
        guard unsafe fstat(descriptor, &info) == 0 else { throw FileIOError("could not write to", name) }
        var own: FileDescriptor?
        switch info.st_mode & S_IFMT {
        case S_IFREG, S_IFCHR, S_IFBLK: kind = .file
        case S_IFSOCK: kind = .socket
        case S_IFIFO:
            own = Self.reopen(descriptor)
            kind = own == nil ? .unknown(most: Int(PIPE_BUF)) : .pipe
        default: kind = .unknown(most: Int(PIPE_BUF))
        }
        self.descriptor = own?.rawValue ?? descriptor
        self.own = own
    }

    /// The same pipe with flags of its own. nil if that is not allowed, or there is no /proc.
    private static func reopen(_ descriptor: CInt) -> FileDescriptor? {
        let raw = unsafe open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        return raw < 0 ? nil : FileDescriptor(owning: raw)
    }

    /// Whether somebody looks at it.
    package static func isTerminal(_ descriptor: CInt) -> Bool { isatty(descriptor) == 1 }

    package func write(_ bytes: RawSpan) throws(FileIOError) {
        var rest = bytes
        while rest.byteCount > 0 {
            try wait()
            let written = try step(rest)
            rest = rest.extracting(written...)
        }
    }

    package func write(_ bytes: [UInt8]) throws(FileIOError) {
        // The array outlives the call.
        try unsafe write(bytes.span.bytes)
    }

    /// fsync(2) of a file; nothing for a pipe, whose reader is responsible.
    package func sync() throws(FileIOError) {
        guard case .file = kind else { return }
        _ = try SystemCall.run { fsync(descriptor) }.orThrow("could not fsync", path)
    }

    private func wait() throws(FileIOError) {
        if case .file = kind {
            if interrupt.isRaised { throw .interrupted(path) }
            return
        }
        let outcome = Interrupt.wait(socket: descriptor, events: Int16(POLLOUT), interrupts: [interrupt], timeout: nil)
        if case .interrupted = outcome { throw .interrupted(path) }
    }

    /// - Returns: The number of bytes written; zero if there was no room after all.
    private func step(_ bytes: RawSpan) throws(FileIOError) -> Int {
        // The span is valid for the call, which reads no more than its count.
        let result = unsafe bytes.withUnsafeBytes { buffer -> Result<Int, SystemCall.Errno> in
            SystemCall.run {
                switch kind {
                case .file, .pipe: unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count)
                case .socket:
                    unsafe send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                case .unknown(let most):
                    unsafe Glibc.write(descriptor, buffer.baseAddress, min(most, buffer.count))
                }
            }
        }
        if case .failure(let errno) = result, errno.number == EAGAIN { return 0 }
        return try result.orThrow("could not write to", path)
    }
}
