import UnderstudyBackupFormat
import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyProtocol

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// A base backup as its source fed it.
final class FedBackup: Sendable {
    struct Member {
        var archive: AnnouncedArchive
        var entry: TarEntry
        var content: [UInt8] = []
    }

    struct Content {
        var start: BackupStart?
        var end: BackupEnd?
        var members: [Member] = []
        var manifest: [UInt8] = []
    }

    let content = Monitor(Content())
}

/// Records what another source feeds, and passes it on.
final class RecordingSource: BackupSource {
    private let source: any BackupSource
    private let recording: FedBackup

    init(_ source: any BackupSource, _ recording: FedBackup) {
        self.source = source
        self.recording = recording
    }

    var keepsServerOrder: Bool { source.keepsServerOrder }

    func start() throws(UnderstudyError) -> BackupStart {
        let start = try source.start()
        recording.content.change { $0.start = start }
        return start
    }

    func copy(into sink: some BackupSink, verification: ArrivalVerification) throws(UnderstudyError) {
        try source.copy(into: RecordingSink(sink: sink, recording: recording), verification: verification)
    }

    func end() throws(UnderstudyError) -> BackupEnd {
        let end = try source.end()
        recording.content.change { $0.end = end }
        return end
    }
}

private struct RecordingSink<Sink: BackupSink>: BackupSink {
    let sink: Sink
    let recording: FedBackup

    var needsServerOrder: Bool { sink.needsServerOrder }

    func makeFeeder() throws(UnderstudyError) -> RecordingFeeder<Sink.Feeder> {
        RecordingFeeder(feeder: try sink.makeFeeder(), recording: recording)
    }

    func close() {
        sink.close()
    }
}

private struct RecordingFeeder<Feeder: MemberFeeder>: MemberFeeder {
    typealias Failure = UnderstudyError

    var feeder: Feeder
    let recording: FedBackup
    var archive: AnnouncedArchive?

    init(feeder: Feeder, recording: FedBackup) {
        self.feeder = feeder
        self.recording = recording
    }

    mutating func beginArchive(_ archive: AnnouncedArchive) throws(UnderstudyError) {
        self.archive = archive
        try feeder.beginArchive(archive)
    }

    mutating func drain() throws(UnderstudyError) {
        try feeder.drain()
    }

    mutating func begin(_ entry: TarEntry) throws(UnderstudyError) {
        let member = FedBackup.Member(archive: archive!, entry: entry)
        recording.content.change { $0.members.append(member) }
        try feeder.begin(entry)
    }

    mutating func content(_ bytes: RawSpan) throws(UnderstudyError) {
        let copy = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        recording.content.change { $0.members[$0.members.count - 1].content += copy }
        try feeder.content(bytes)
    }

    mutating func end() throws(UnderstudyError) {
        try feeder.end()
    }
}

/// Feeds a recording through two feeders on two threads, directories first and files in any order. As the low-level API
/// does, it returns backup_label at the end instead of sending it.
final class RecordedSource: BackupSource {
    private let recording: FedBackup.Content
    static let label = "backup_label"

    init(_ recording: FedBackup) {
        self.recording = recording.content.read { $0 }
    }

    var keepsServerOrder: Bool { false }

    func start() -> BackupStart { recording.start! }

    func copy(into sink: some BackupSink, verification: ArrivalVerification) throws(UnderstudyError) {
        let isFile = { (member: FedBackup.Member) in member.entry.kind == .file }
        try Self.feed(recording.members.filter { !isFile($0) }, into: sink)
        let files = recording.members.filter { isFile($0) && $0.entry.path.string != Self.label }.shuffled()
        let halves = [Array(files[..<(files.count / 2)]), Array(files[(files.count / 2)...])]
        let failures = Monitor<[UnderstudyError]>([])
        do throws(FileIOError) {
            let other = try OwnThread("feeder") {
                do throws(UnderstudyError) { try Self.feed(halves[1], into: sink) } catch {
                    failures.change { $0.append(error) }
                }
            }
            do throws(UnderstudyError) { try Self.feed(halves[0], into: sink) } catch {
                failures.change { $0.append(error) }
            }
            other.join()
        } catch { throw UnderstudyError(error) }
        if let failure = failures.read({ $0.first }) { throw failure }
    }

    private static func feed(_ members: [FedBackup.Member], into sink: some BackupSink) throws(UnderstudyError) {
        var feeder = try sink.makeFeeder()
        for member in members {
            try feeder.beginArchive(member.archive)
            try feeder.begin(member.entry)
            if !member.content.isEmpty { try unsafe feeder.content(member.content.span.bytes) }
            try feeder.end()
        }
        try feeder.drain()
    }

    func end() -> BackupEnd {
        let label = recording.members.first { $0.entry.path.string == Self.label }!
        var end = recording.end!
        end.files = [
            StandbyConfiguration.FileEdit(
                name: Self.label, content: String(decoding: label.content, as: UTF8.self), kind: .create)
        ]
        return end
    }
}
