import UnderstudyBackupFormat
package import UnderstudyCore
import UnderstudyProtocol

/// Verifies a backup against its manifest, wherever the members go and whatever source they come from.
package final class BackupVerification {
    /// Sees every file on its way.
    package let observer: MemberObserver
    /// Whether a manifest was requested.
    package let expectsManifest: Bool
    private let expected: ManifestVerifier.Expected
    private let makeOutput: () throws(UnderstudyError) -> any ManifestOutput
    private var verifier: ManifestVerifier?

    /// - Parameter makeOutput: Called when the manifest begins.
    init(
        _ expected: ManifestVerifier.Expected, expectsManifest: Bool,
        makeOutput: @escaping () throws(UnderstudyError) -> any ManifestOutput
    ) {
        observer = MemberObserver(ledger: Ledger(), algorithm: expected.algorithm)
        self.expected = expected
        self.expectsManifest = expectsManifest
        self.makeOutput = makeOutput
    }

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
    /// - Returns: The number of files that match; nil without a manifest.
    func finish(from start: BackupPosition, to end: BackupPosition) throws(UnderstudyError) -> Int? {
        guard hasBegun || !expectsManifest else {
            throw UnderstudyError(.protocolViolation, "server sent no backup manifest")
        }
        return try verifier.take()?.finish(from: start, to: end)
    }
}
