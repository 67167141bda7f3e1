import UnderstudyBackupFormat
import UnderstudyCompression
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// Reads the copy data of BASE_BACKUP into archives and manifest: one copy stream for each before 15, a single stream
/// from 15 on.
struct CopyReader<Feeder: MemberFeeder>: ~Copyable {
    private let session: Session
    private let archives: [AnnouncedArchive]
    private let meter: ProgressMeter
    private let verification: ArrivalVerification
    private var feeder: Feeder
    private var tar: TarReader?
    /// The index of the current archive.
    private var archive: Int?
    /// Whether archives are passed on as such, so that progress names them and not their files.
    private let sendsArchives: Bool
    /// How the server compresses archives.
    private let method: Compression.Method?
    private var decompressor: Decompressor?
    private var begun: Set<Int> = []
    /// The index of each archive by its name on servers from 15.
    private let numbers: [String: Int]

    init(
        session: Session, archives: [AnnouncedArchive], compressed method: Compression.Method?, sendsArchives: Bool,
        feeder: consuming Feeder, verification: ArrivalVerification, meter: ProgressMeter
    ) {
        self.method = method
        self.sendsArchives = sendsArchives
        self.session = session
        self.archives = archives
        self.feeder = feeder
        self.verification = verification
        self.meter = meter
        // No OID occurs twice.
        numbers = Dictionary(
            archives.enumerated().map { (TarNames.archive($1, method), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Reads everything up to the row with the stop position.
    mutating func read() throws(UnderstudyError) {
        do throws(UnderstudyError) {
            try readAll()
        } catch  where error.code == .protocolViolation {
            // A server that fails during the copy also ends the copy: then its error is the cause.
            do throws(ConnectionError) { _ = try session.nextResult() } catch { throw UnderstudyError(error) }
            throw error
        }
    }

    private mutating func readAll() throws(UnderstudyError) {
        if session.serverVersion.hasOptionLists {
            try expectCopy()
            while try takeMessage() {}
            try endArchive()
        } else {
            for index in archives.indices {
                try expectCopy()
                try begin(index)
                while try takeRaw() {}
                try endArchive()
            }
            if verification.expectsManifest {
                try expectCopy()
                try beginManifest()
                while try takeRaw() {}
            }
        }
        guard begun.count == archives.count else {
            throw UnderstudyError(
                .protocolViolation, "server announced \(archives.count) archives and sent \(begun.count)")
        }
        if !verification.hasBegun { try feeder.drain() }
    }

    private func expectCopy() throws(UnderstudyError) {
        let reply: Session.Reply<ResultSet>
        do throws(ConnectionError) { reply = try session.nextResult() } catch { throw UnderstudyError(error) }
        guard reply == .copyOut else {
            throw UnderstudyError(.protocolViolation, "server did not begin the copy of an archive")
        }
    }

    // MARK: - Messages

    /// - Returns: False at the end of the copy.
    private mutating func takeRaw() throws(UnderstudyError) -> Bool {
        try session.takeCopyData(failure: { UnderstudyError($0) }) { bytes throws(UnderstudyError) in
            try take(bytes)
        } != .ended
    }

    private mutating func takeMessage() throws(UnderstudyError) -> Bool {
        try session.takeCopyData(failure: { UnderstudyError($0) }) { bytes throws(UnderstudyError) in
            let message: BackupMessage
            do throws(ProtocolError) { message = try BackupMessage(bytes) } catch { throw UnderstudyError(error) }
            switch message {
            case .archive(let name, let location): try begin(find(name, location))
            case .data(let content): try take(content)
            // Status messages alone are no progress.
            case .progress:
                do throws(ConnectionError) { try session.checkProgress() } catch { throw UnderstudyError(error) }
            case .manifest: try beginManifest()
            }
        } != .ended
    }

    private mutating func take(_ bytes: RawSpan) throws(UnderstudyError) {
        if meter.namesFiles { noteFile() }
        // An empty message is no progress, and neither is compressed data in which there is nothing.
        if bytes.byteCount > 0, decompressor == nil { session.noteProgress() }
        if verification.hasBegun {
            try verification.take(bytes)
        } else if tar != nil {
            if decompressor == nil { try takePlain(bytes) } else { try takeCompressed(bytes) }
        } else {
            throw UnderstudyError(.protocolViolation, "server sent data that belongs to no archive")
        }
    }

    private func noteFile() {
        guard let archive else { return }
        if sendsArchives {
            meter.note(file: TarNames.archive(archives[archive], method))
        } else if let path = tar?.currentPath {
            let prefix = archives[archive].location.map { "\($0)/" } ?? ""
            meter.note(file: "\(prefix)\(path)")
        }
    }

    private mutating func takePlain(_ bytes: RawSpan) throws(UnderstudyError) {
        try tar!.consume(bytes, into: &feeder)
        meter.count(bytes: bytes.byteCount)
    }

    private mutating func takeCompressed(_ bytes: RawSpan) throws(UnderstudyError) {
        try feeder.keep(bytes)
        var rest = bytes, isEmpty = true
        while true {
            let piece: RawSpan?
            do throws(CompressionError) { piece = try decompressor!.nextPiece(of: &rest) } catch {
                throw UnderstudyError(error)
            }
            guard let piece else { break }
            isEmpty = false
            try tar!.consume(piece, into: &feeder)
            meter.count(bytes: piece.byteCount)
        }
        if !isEmpty { return session.noteProgress() }
        do throws(ConnectionError) { try session.checkProgress() } catch { throw UnderstudyError(error) }
    }

    // MARK: - Archives

    /// Finds the archive that a message begins (servers from 15).
    private func find(_ name: String, _ location: String) throws(UnderstudyError) -> Int {
        let suffix = ".tar\(method.fileSuffix)"
        guard name.hasSuffix(suffix) else {
            throw UnderstudyError(
                .protocolViolation, "server sent archive \"\(name)\", expected one that ends in \(suffix)")
        }
        guard let index = numbers[name], (archives[index].location ?? "") == location else {
            throw UnderstudyError(
                .protocolViolation, "server sent archive \"\(name)\" for \"\(location)\", which it had not announced")
        }
        return index
    }

    private mutating func begin(_ index: Int) throws(UnderstudyError) {
        try endArchive()
        guard !verification.hasBegun, begun.insert(index).inserted else {
            throw UnderstudyError(.protocolViolation, "server sent an archive twice, or behind the manifest")
        }
        tar = TarReader(expectsTrailer: session.serverVersion.hasOptionLists)
        if let method {
            do throws(CompressionError) { decompressor = try Decompressor(method) } catch {
                throw UnderstudyError(error)
            }
        }
        archive = index
        try feeder.beginArchive(archives[index])
    }

    private mutating func endArchive() throws(UnderstudyError) {
        guard let finished = tar else { return }
        if let decompressor = decompressor.take(), !decompressor.isAtEnd {
            throw UnderstudyError(.protocolViolation, "server ended an archive within its compressed data")
        }
        do throws(BackupFormatError) { try finished.finish() } catch { throw UnderstudyError(error) }
        tar = nil
        meter.tablespaceDone()
    }

    private mutating func beginManifest() throws(UnderstudyError) {
        try endArchive()
        meter.enter(.verifying)
        try feeder.drain()
        try verification.begin()
    }
}
