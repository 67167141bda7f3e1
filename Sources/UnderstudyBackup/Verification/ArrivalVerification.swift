import UnderstudyBackupFormat
package import UnderstudyCore
import UnderstudyProtocol

/// Verifies a backup against its manifest, wherever the members go and whatever source they come from; or makes the
/// manifest, where the source has none.
package final class ArrivalVerification {
    /// Sees every file on its way.
    package let observer: MemberObserver
    /// Where the manifest comes from.
    enum Manifest {
        case none
        /// From the source.
        case sent
        /// It is made here, of what arrives; all paths in it hex-encoded if so wished.
        case made(encodesAll: Bool)
    }

    /// Whether the source was asked for a manifest.
    package let expectsManifest: Bool
    private let ownManifest: OwnManifest?
    private let expected: ManifestVerifier.Expected
    private let makeOutput: () throws(UnderstudyError) -> any ManifestOutput
    private var verifier: ManifestVerifier?

    /// - Parameter makeOutput: Called when the manifest begins.
    init(
        _ expected: ManifestVerifier.Expected, _ manifest: Manifest,
        makeOutput: @escaping @Sendable () throws(UnderstudyError) -> any ManifestOutput
    ) {
        var expectsManifest = false, own: OwnManifest?
        switch manifest {
        case .none: break
        case .sent: expectsManifest = true
        case .made(let encodesAll): own = OwnManifest(expected, encodesAll: encodesAll, makeOutput)
        }
        observer = MemberObserver(ledger: Ledger(own), algorithm: expected.algorithm)
        ownManifest = own
        self.expected = expected
        self.expectsManifest = expectsManifest
        self.makeOutput = makeOutput
    }

    /// Whether there is a manifest at the end.
    var hasManifest: Bool { expectsManifest || ownManifest != nil }

    /// Whether the manifest has begun.
    package var hasBegun: Bool { verifier != nil }

    /// Begins the manifest. Every member must be written by then.
    package func begin() throws(UnderstudyError) {
        guard expectsManifest else {
            throw UnderstudyError(.protocolViolation, "server sent a backup manifest unasked")
        }
        guard verifier == nil else { throw UnderstudyError(.protocolViolation, "server sent two backup manifests") }
        verifier = try ManifestVerifier(output: makeOutput(), ledger: observer.ledger, expected: expected)
    }

    /// Takes the next bytes of the manifest.
    package func take(_ bytes: RawSpan) throws(UnderstudyError) {
        try verifier!.take(bytes)
    }

    /// Refuses a copy from which no server could start. Without a manifest nothing else shows it.
    func checkControlFile() throws(UnderstudyError) {
        guard observer.ledger.hasControlFile else {
            throw UnderstudyError(.protocolViolation, "server sent no \"\(HeldMember.path)\"")
        }
    }

    /// Finishes the comparison, and closes the manifest.
    ///
    /// - Parameter ranges: The WAL that the backup needs, its latest timeline first.
    /// - Returns: The number of files that match; nil without a manifest of the server's.
    func finish(
        from start: BackupPosition, to end: BackupPosition, _ ranges: [ManifestWALRange]
    ) throws(UnderstudyError) -> Int? {
        try ownManifest?.finish(ranges)
        guard hasBegun || !expectsManifest else {
            throw UnderstudyError(.protocolViolation, "server sent no backup manifest")
        }
        return try verifier.take()?.finish(from: start, to: end)
    }
}
