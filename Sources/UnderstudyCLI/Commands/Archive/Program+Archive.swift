import Understudy
import UnderstudyPlatform

extension Program {
    func archive(_ words: [String]) async -> Int32 {
        if let subcommand = Command.archive.subcommand(words.first) {
            return await subcommand.run(self, Array(words.dropFirst()), .understudy)
        }
        if let word = words.first, !word.hasPrefix("-") {
            return fail(
                UsageError(
                    "unrecognized command \"archive \(word)\"", hint: UsageError.tryHelp("understudy archive")),
                console: console(.understudy))
        }
        let request = { () throws(UsageError) in
            try Request<Void>.read(words, of: .archive, as: .understudy) { _, _ in }
        }
        return await run(.archive, words, as: .understudy, request) { _ in
            fail(
                UsageError(
                    "no command of \"archive\" specified first: list, check or prune",
                    hint: UsageError.tryHelp("understudy archive")), console: console(.understudy))
        }
    }

    func archiveList(_ words: [String], as personality: Personality) async -> Int32 {
        let request = { () throws(UsageError) in try ArchiveLook.read(words, of: .archiveList, as: personality) }
        return await run(.archiveList, words, as: personality, request) { look in
            await report(look, personality) { archive, console throws(UnderstudyError) in
                let inventory = try await archive.inventory(backups: try await archive.backups(in: look.backups))
                if look.writesJSON {
                    console.object(ArchiveJSON.list(archive, inventory, namesFiles: look.verbose))
                } else {
                    console.output(ArchiveText.list(archive, inventory, namesFiles: look.verbose))
                }
                return inventory.unreadable.isEmpty ? ExitStatus.success : ExitStatus.failure
            }
        }
    }

    func archiveCheck(_ words: [String], as personality: Personality) async -> Int32 {
        let request = { () throws(UsageError) in try ArchiveLook.read(words, of: .archiveCheck, as: personality) }
        return await run(.archiveCheck, words, as: personality, request) { look in
            await report(look, personality) { archive, console throws(UnderstudyError) in
                let check = try await archive.check()
                if look.writesJSON {
                    console.object(ArchiveJSON.check(archive, check, namesFiles: look.verbose))
                } else {
                    console.output(ArchiveText.check(check, namesFiles: look.verbose))
                }
                return check.isSound ? ExitStatus.success : ExitStatus.failure
            }
        }
    }

    func archivePrune(_ words: [String], as personality: Personality) async -> Int32 {
        let request = { () throws(UsageError) in try ArchivePrunePlan.read(words, as: personality) }
        return await run(.archivePrune, words, as: personality, request) { plan in
            await report(plan.look, personality) { archive, console throws(UnderstudyError) in
                let rules = ArchivePruning.Rules(
                    keeping: try await archive.backups(in: plan.look.backups), first: plan.before,
                    newerThan: plan.olderThan, suffixes: Set(plan.suffixes))
                let pruning = try await archive.pruning(rules)
                for warning in ArchiveText.warnings(pruning) { console.warning(warning) }
                let outcome = plan.applies ? try await archive.prune(pruning) : nil
                for name in outcome?.changed ?? [] {
                    console.warning("file \"\(ArchiveText.name(name))\" has changed meanwhile, and stays")
                }
                if plan.look.writesJSON {
                    console.object(ArchiveJSON.prune(archive, pruning, outcome, namesFiles: plan.look.verbose))
                } else {
                    console.output(ArchiveText.prune(pruning, outcome, namesFiles: plan.look.verbose))
                }
                return ExitStatus.success
            }
        }
    }

    /// Runs one of them, and says why it failed.
    private func report(
        _ look: ArchiveLook, _ personality: Personality,
        _ body: (WALArchive, Console) async throws(UnderstudyError) -> Int32
    ) async -> Int32 {
        let console = console(personality, verbose: look.verbose, writesObjects: look.writesJSON)
        do throws(UnderstudyError) {
            return try await body(WALArchive(look.directory), console)
        } catch {
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }
}

extension WALArchive {
    /// Those of all places that the command line names.
    fileprivate func backups(in places: [String]) async throws(UnderstudyError) -> [BackupWALRange] {
        var backups: [BackupWALRange] = []
        for place in places { backups += try await self.backups(at: place) }
        return backups
    }
}
