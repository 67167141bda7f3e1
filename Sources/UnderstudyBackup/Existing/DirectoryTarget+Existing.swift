import Logging
import UnderstudyConfiguration
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// A directory that is not empty, and is made equal to its source.
extension DirectoryTarget {
    /// Finds out what is there, if anything may be. Changes nothing.
    func lookAtExisting() throws(UnderstudyError) {
        guard options.existing != .refused else { return }
        existing = try ExistingDirectory(
            path, resumes: options.existing == .resumed, trust: leftovers.trust, mounts: leftovers.mounts)
        guard let existing else {
            return logger.notice("\(name) is new or empty: this is a copy like any other", metadata: .own)
        }
        try existing.keepWALPlace(&options)
    }

    /// Looks again for a server in the directory, which may have been started since the first look.
    func refuseServers() throws(UnderstudyError) {
        guard existing != nil else { return }
        let directory: ConfinedDirectory, owner: FileOwner
        do throws(FileIOError) {
            directory = try ConfinedDirectory(path: path)
            owner = try directory.modeAndOwner().owner
        } catch { throw UnderstudyError(error) }
        try ServersHere(owner: owner).refuse(directory, owner: owner)
    }

    package func check(against server: ServerFacts) throws(UnderstudyError) {
        try existing?.check(against: server, overwritesOther: options.overwritesOtherCluster)
    }

    /// Where the announced tablespaces go: where they are, if they are.
    func layOut(_ archives: [AnnouncedArchive]) throws(UnderstudyError) -> TablespaceLayout {
        try existing?.keepTablespaces(
            archives.compactMap { archive in archive.oid.map { ($0, archive.location ?? "") } }, &options)
        return try TablespaceLayout(archives, options: options, dataDirectory: path)
    }

    /// Directories of the interrupted run that this one does not use: it was given other places.
    func nameUnused(_ directories: TargetDirectories) {
        let used = Set(directories.others.map { realPathToBe($0.path) })
        for place in (existing?.others ?? []).sorted() where !used.contains(realPathToBe(place)) {
            logger.warning(
                "directory \"\(place)\" of the interrupted base backup is not used any more",
                metadata: ["hint": "If nobody needs it: rm -r \(ShellText.pasted(place))"])
        }
    }

    /// After the copy: what is there and not on the server.
    func tellOfSurplus(_ notes: MemberNotes) throws(UnderstudyError) {
        guard let surplus = notes.surplus else {
            guard existing == nil else {
                throw UnderstudyError(
                    .options, "the files came from a source that does not say which others are to go",
                    hint: "Let them come over several connections.")
            }
            return
        }
        let removed = surplus.figures.surplus
        if removed.files > 0 {
            logger.info(
                "removed what the server has not: \(removed.files) files and directories, \(Quantity.bytes(removed.bytes))"
            )
        }
        guard surplus.kept.count > 0 else { return }
        logger.notice("kept what the server has not, and a server has not written: \(surplus.kept.list)")
    }

    /// Mappings of tablespaces to where they were found, which the options had not.
    private var foundMoves: [Remedy.Step.Move] {
        options.tablespaceMappings.dropFirst(givenMappings).map { .init(from: $0.old, to: $0.new) }
    }

    package func keep() -> Remedy? {
        guard let directories = made?.directories, !directories.isComplete, !directories.giveBack() else { return nil }
        do throws(FileIOError) { try directories.keep() } catch {
            logger.warning("could not note in the mark that \(name) is kept: \(error)")
        }
        let lost: Remedy =
            existing?.heldFiles == true
            ? "give it up, with all that it held before: \(.forceClean)" : "remove it: \(.forceClean)"
        return
            "What has come is kept in \(name), which is no data directory until it is complete. Go on: \(.resumeWith(foundMoves)). Or \(lost)."
    }
}

extension UnfinishedRecord.Cluster {
    init(of server: ServerFacts) {
        self.init(systemIdentifier: server.identity.systemIdentifier, major: server.version.major)
    }
}
