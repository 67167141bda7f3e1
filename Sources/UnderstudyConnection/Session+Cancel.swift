import CUnderstudyPQ
import UnderstudyPlatform

extension Session {
    /// How long it may take to hand a cancel request over: the server may be out of reach.
    private static let longestCancel = Duration.seconds(2)

    /// Asks the server to end the command that it works on: PQcancel, over a connection of its own, which needs no place and
    /// no login. A server that waits for something, as for its checkpoint, does not notice that a client has gone.
    ///
    /// Nothing happens where no command is under way. A WAL sender of 9.3 takes no notice. PQcancel encrypts nothing, so where
    /// the user asks for encryption, none is sent: the server notices by itself, though later.
    package func requestCancel() {
        guard !mustBeEncrypted, unsafe PQtransactionStatus(connection) == PQTRANS_ACTIVE,
            let handle = unsafe PQgetCancel(connection)
        else {
            return
        }
        let request = unsafe CancelRequest(handle: handle)
        let isOver = Monitor(false)
        // PQcancel blocks. Where no thread can be had for it, the server notices by itself, though later.
        guard
            (try? OwnThread("cancel") {
                request.send()
                isOver.update { $0 = true }
            }) != nil
        else { return }
        _ = isOver.wait(timeout: Self.longestCancel) { $0 ? true : nil }
    }

    /// Whether the settings forbid to send anything in clear text. On a socket of this machine TLS does not count.
    private var mustBeEncrypted: Bool {
        let settings = effectiveSettings
        func value(_ keyword: String) -> String? { settings.first { $0.keyword == keyword }?.value }
        if host.hasPrefix("/") || host.hasPrefix("@") { return false }
        return ["require", "verify-ca", "verify-full"].contains(value("sslmode")) || value("gssencmode") == "require"
    }
}

/// What a cancel request needs, apart from the connection.
@safe private final class CancelRequest: @unchecked Sendable {
    // Sendable: PQcancel may be called on any thread; one thread alone calls it.
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
