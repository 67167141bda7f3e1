import CUnderstudyPQ
import UnderstudyPlatform

extension Session {
    /// How long sending a cancel request may take: the server may be unreachable.
    private static let longestCancel = Duration.seconds(2)

    /// Asks the server to cancel the current command: PQcancel, over a separate connection that needs no connection
    /// slot and no login. A server that waits for something, such as its checkpoint, does not notice that a client has
    /// disconnected.
    ///
    /// Does nothing if no command is running. A WAL sender of 9.3 ignores the request. PQcancel does not encrypt, so if
    /// the user requires encryption, no request is sent; the server then notices by itself, though later.
    package func requestCancel() {
        guard !mustBeEncrypted, unsafe PQtransactionStatus(connection) == PQTRANS_ACTIVE,
            let handle = unsafe PQgetCancel(connection)
        else {
            return
        }
        let request = unsafe CancelRequest(handle: handle)
        let isOver = Monitor(false)
        // PQcancel blocks. If no thread can be started for it, the server notices by itself, though later.
        guard
            (try? OwnThread("cancel") {
                request.send()
                isOver.update { $0 = true }
            }) != nil
        else { return }
        _ = isOver.wait(timeout: Self.longestCancel) { $0 ? true : nil }
    }

    /// Whether the settings forbid sending anything unencrypted. TLS settings do not apply to a local socket.
    private var mustBeEncrypted: Bool {
        let settings = effectiveSettings
        func value(_ keyword: String) -> String? { settings.first { $0.keyword == keyword }?.value }
        if [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(host.utf8.first) { return false }
        return ["require", "verify-ca", "verify-full"].contains(value("sslmode")) || value("gssencmode") == "require"
    }
}

/// The data for a cancel request, independent of the connection.
@safe private final class CancelRequest: @unchecked Sendable {
    // Sendable: PQcancel may be called on any thread, and only one thread calls it.
    private let handle: OpaquePointer

    @unsafe init(handle: OpaquePointer) {
        unsafe self.handle = unsafe handle
    }

    deinit {
        unsafe PQfreeCancel(handle)
    }

    func send() {
        var text = [CChar](repeating: 0, count: 256)
        // libpq writes at most `count` bytes.
        _ = unsafe text.withUnsafeMutableBufferPointer { unsafe PQcancel(handle, $0.baseAddress, CInt($0.count)) }
    }
}
