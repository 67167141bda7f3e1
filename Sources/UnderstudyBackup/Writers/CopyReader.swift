import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// Reads the copy data of BASE_BACKUP into archives and manifest: one copy stream for each before 15, a single stream
/// from 15 on.
struct CopyReader: ~Copyable {
    private let session: Session
    private let archives: [ArchivePlan]
    private let meter: ProgressMeter
    private let makeVerifier: (inout DirectorySink) throws(UnderstudyError) -> ManifestVerifier
    private var sink: DirectorySink
    private var verifier: ManifestVerifier?
    private var tar: TarReader?
    private var begun: Set<Int> = []
    /// The index of each archive by its name on servers from 15.
    private let numbers: [String: Int]

    /// An announced archive and its directory here.
    struct ArchivePlan {
        var announced: AnnouncedArchive
        var root: MemberRoot
    }

    /// - Parameter makeVerifier: Called when the manifest begins; waits until everything before it is written.
    init(
        session: Session, archives: [ArchivePlan], sink: DirectorySink, meter: ProgressMeter,
        makeVerifier: @escaping (inout DirectorySink) throws(UnderstudyError) -> ManifestVerifier
    ) {
        self.session = session
        self.archives = archives
        self.sink = sink
        self.meter = meter
        self.makeVerifier = makeVerifier
        // No OID occurs twice.
        numbers = Dictionary(
            archives.enumerated().map { ($1.announced.oid.map { "\($0).tar" } ?? "base.tar", $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Files that are executable on the server but not here.
    var executables: TruncatedList { sink.executables }

    /// The OIDs of the tablespaces whose links have arrived.
    var linked: Set<UInt32> { sink.linked }

    /// Reads everything up to the row with the stop position.
    ///
    /// - Parameter expectsManifest: Whether a manifest was requested.
    /// - Returns: The verifier with the whole manifest, still to be finished; nil if none was requested.
    mutating func read(expectsManifest: Bool) throws(UnderstudyError) -> ManifestVerifier? {
        do throws(UnderstudyError) {
            return try readAll(expectsManifest)
        } catch  where error.code == .protocolViolation {
            // A server that fails during the copy also ends the copy: then its error is the cause.
            do throws(ConnectionError) { _ = try session.nextResult() } catch { throw UnderstudyError(error) }
            throw error
        }
    }

    private mutating func readAll(_ expectsManifest: Bool) throws(UnderstudyError) -> ManifestVerifier? {
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
            if expectsManifest {
                try expectCopy()
                try beginManifest()
                while try takeRaw() {}
            }
        }
        guard begun.count == archives.count else {
            throw UnderstudyError(
                .protocolViolation, "server announced \(archives.count) archives and sent \(begun.count)")
        }
        if verifier == nil { try sink.drain() }
        guard (verifier != nil) == expectsManifest else {
            throw UnderstudyError(
                .protocolViolation,
                expectsManifest ? "server sent no backup manifest" : "server sent a backup manifest unasked")
        }
        return verifier.take()
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
        // An empty message is no progress.
        if bytes.byteCount > 0 { session.noteProgress() }
        if verifier != nil {
            try verifier!.take(bytes)
        } else if tar != nil {
            try tar!.consume(bytes, into: &sink)
            meter.count(bytes: bytes.byteCount)
        } else {
            throw UnderstudyError(.protocolViolation, "server sent data that belongs to no archive")
        }
    }

    // MARK: - Archives

    /// Finds the archive that a message begins (servers from 15).
    private func find(_ name: String, _ location: String) throws(UnderstudyError) -> Int {
        guard name.hasSuffix(".tar") else {
            throw UnderstudyError(
                .protocolViolation, "server sent archive \"\(name)\", expected one that ends in .tar")
        }
        guard let index = numbers[name], (archives[index].announced.location ?? "") == location else {
            throw UnderstudyError(
                .protocolViolation, "server sent archive \"\(name)\" for \"\(location)\", which it had not announced")
        }
        return index
    }

    private mutating func begin(_ index: Int) throws(UnderstudyError) {
        try endArchive()
        guard verifier == nil, begun.insert(index).inserted else {
            throw UnderstudyError(.protocolViolation, "server sent an archive twice, or behind the manifest")
        }
        tar = TarReader(expectsTrailer: session.serverVersion.hasOptionLists)
        try sink.beginArchive(archives[index].root)
    }

    private mutating func endArchive() throws(UnderstudyError) {
        guard let finished = tar else { return }
        do throws(BackupFormatError) { try finished.finish() } catch { throw UnderstudyError(error) }
        tar = nil
        meter.tablespaceDone()
    }

    private mutating func beginManifest() throws(UnderstudyError) {
        try endArchive()
        guard verifier == nil else { throw UnderstudyError(.protocolViolation, "server sent two backup manifests") }
        meter.enter(.verifying)
        verifier = try makeVerifier(&sink)
    }
}
