package import UnderstudyWAL

/// A CopyData message from the server while it streams WAL.
///
/// The bytes in a case are borrowed: they are valid only during the call that decoded them.
package enum WALMessage: ~Escapable {
    /// WAL that begins at `start`; `serverEnd` is the end of the server's own WAL.
    case data(start: LSN, serverEnd: LSN, bytes: RawSpan)
    /// - `replyRequested`: the server requests a status update at once.
    case keepalive(serverEnd: LSN, replyRequested: Bool)
    /// A message kind of newer servers that does not concern WAL; ignored.
    case other

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) throws(ProtocolError) {
        guard bytes.byteCount > 0 else { throw ProtocolError("empty message in the WAL stream") }
        switch bytes.byte(at: 0) {
        case UInt8(ascii: "w"):
            guard bytes.byteCount >= Self.dataHeader else {
                throw ProtocolError("WAL message of \(bytes.byteCount) bytes, too short for its header")
            }
            self = .data(
                start: LSN(rawValue: bytes.bigEndianUInt64(at: 1)),
                serverEnd: LSN(rawValue: bytes.bigEndianUInt64(at: 9)),
                bytes: bytes.extracting(Self.dataHeader...))
        case UInt8(ascii: "k"):
            guard bytes.byteCount == 18 else {
                throw ProtocolError("keepalive message of \(bytes.byteCount) bytes, expected 18")
            }
            self = .keepalive(
                serverEnd: LSN(rawValue: bytes.bigEndianUInt64(at: 1)), replyRequested: bytes.byte(at: 17) != 0)
        case UInt8(ascii: "s"):
            self = .other
        case let kind:
            throw ProtocolError("message of unknown kind \(kind) in the WAL stream")
        }
    }

    /// Kind, start, end, send time.
    private static let dataHeader = 25
}

/// A standby status update: our write and flush positions.
package struct StandbyStatus: Sendable, Equatable {
    /// The position after the last byte written.
    package var written: LSN
    /// The position up to which everything is on stable storage here. Never higher.
    package var flushed: LSN
    /// Requests an immediate reply from the server.
    package var replyRequested: Bool

    package init(written: LSN, flushed: LSN, replyRequested: Bool = false) {
        self.written = written
        self.flushed = flushed
        self.replyRequested = replyRequested
    }

    /// - Parameter microseconds: The client's clock: microseconds since 2000-01-01 UTC.
    package func encoded(microseconds: Int64) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "r")]
        // Nothing is replayed here, so the third position, apply, stays invalid.
        for value in [written.rawValue, flushed.rawValue, 0, UInt64(bitPattern: microseconds)] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
            }
        }
        bytes.append(replyRequested ? 1 : 0)
        return bytes
    }
}
