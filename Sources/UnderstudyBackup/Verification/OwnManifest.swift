import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// The manifest of a backup whose source has none: lists each file when it is written.
///
/// What it says is what arrived: it shows later damage, and none on the way.
final class OwnManifest: Sendable {
    private struct State: ~Copyable {
        var writer: ManifestWriter?
        var output: (any ManifestOutput)?
        var failure: UnderstudyError?
    }

    private let state = Monitor(State())
    private let expected: ManifestVerifier.Expected
    private let encodesAll: Bool
    private let makeOutput: @Sendable () throws(UnderstudyError) -> any ManifestOutput

    /// - Parameters:
    ///   - encodesAll: Whether all paths are hex-encoded.
    ///   - makeOutput: Called when the manifest begins.
    init(
        _ expected: ManifestVerifier.Expected, encodesAll: Bool,
        _ makeOutput: @escaping @Sendable () throws(UnderstudyError) -> any ManifestOutput
    ) {
        self.expected = expected
        self.encodesAll = encodesAll
        self.makeOutput = makeOutput
    }

    /// Lists a file. Several threads may do so; what fails is thrown at the end.
    func add(_ path: MemberPath, size: UInt64, modified: Int64, checksum: FileChecksum?) {
        change { state throws(UnderstudyError) in
            try begin(&state)
            let output = state.output!
            try state.writer!.add(
                ManifestFile(path: path, size: size, checksum: checksum), modified: modified, encodesPath: encodesAll
            ) { bytes throws(UnderstudyError) in try output.write(bytes) }
        }
    }

    /// Ends the manifest.
    ///
    /// - Parameter ranges: The WAL that the backup needs, its latest timeline first.
    func finish(_ ranges: [ManifestWALRange]) throws(UnderstudyError) {
        change { state throws(UnderstudyError) in
            try begin(&state)
            let output = state.output!
            try state.writer!.finish(ranges, failure: { UnderstudyError($0) }) { bytes throws(UnderstudyError) in
                try output.write(bytes)
            }
            try output.close()
        }
        if let failure = state.read({ $0.failure }) { throw failure }
    }

    private func begin(_ state: inout State) throws(UnderstudyError) {
        guard state.writer == nil else { return }
        state.output = try makeOutput()
        do throws(BackupFormatError) {
            state.writer = try ManifestWriter(
                systemIdentifier: expected.manifestVersion == 1 ? nil : UInt64(expected.systemIdentifier))
        } catch { throw UnderstudyError(error) }
    }

    private func change(_ body: (inout State) throws(UnderstudyError) -> Void) {
        state.change { state in
            guard state.failure == nil else { return }
            do throws(UnderstudyError) { try body(&state) } catch { state.failure = error }
        }
    }
}
