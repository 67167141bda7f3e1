import Glibc
package import UnderstudyPlatform

extension OwnedDirectory {
    /// Takes a directory that is not empty: of a data directory that is made equal to its source, or what an interrupted
    /// run has left. It is marked before anything in it changes, and nothing is undone: a run that fails leaves it with its
    /// mark.
    ///
    /// What an interrupted run noted of the time before it stays noted, where this process has written it.
    ///
    /// - Parameters:
    ///   - held: What it is, if the contents are not all of an interrupted run.
    ///   - run: The run that takes it, with the identifier of the interrupted one.
    ///   - data: The data directory of the run, if this is a different one.
    package convenience init(
        taking path: String, as held: UnfinishedRecord.Held, run: UnfinishedRecord, data: RecordedDirectory? = nil,
        owner: FileOwner? = nil
    ) throws(Refusal) {
        let (directory, old) = try Self.openToTake(path, for: run, data, owner, lock: .exclusive)
        do throws(FileIOError) {
            let wasServed = data == nil && (try? old?.state()) == .served
            let identity = try directory.identity(), before = try directory.modeAndOwner()
            var record = run
            record.directory = identity
            record.data = data
            record.stage = .filling
            // A mark that another user has written may say anything.
            if let old, old.isOwn, old.record.stage != .emptied {
                record.made = old.record.made
                record.before = old.record.before
                record.held = old.record.held
                if wasServed { record.held = held }
            } else {
                record.before = before
                record.held = held
            }
            if record.made.isEmpty, record.before == nil { record.before = before }
            if old != nil { try directory.takeOwnership() }
            let mark = try UnfinishedMark(inPlaceOf: old, in: directory, record)
            self.init(
                directory: directory,
                closed: Closed(
                    path: path, identity: identity, made: record.made, before: record.before, owner: owner, syncs: true,
                    record: record, isTaken: true),
                mark: mark)
        } catch {
            // Another run has marked it meanwhile.
            if [EWOULDBLOCK, EEXIST].contains(error.number),
                let other = UnfinishedDirectory.find(path, trust: TrustedUsers(owner: owner))
            {
                throw .marked(other)
            }
            throw .init(error)
        }
    }

    /// Throws if a directory with contents cannot be taken. Changes nothing. The parameters are those of taking it.
    package static func checkTaking(
        _ path: String, run: UnfinishedRecord, data: RecordedDirectory?, owner: FileOwner?
    ) throws(Refusal) {
        _ = try openToTake(path, for: run, data, owner, lock: .probe)
    }

    /// Opens a directory, and the mark in it if it has one. Throws if it is not this run's to take.
    private static func openToTake(
        _ path: String, for run: UnfinishedRecord, _ data: RecordedDirectory?, _ owner: FileOwner?,
        lock: FileLock.Kind
    ) throws(Refusal) -> (directory: ConfinedDirectory, old: FoundMark?) {
        let trust = TrustedUsers(owner: owner)
        let old: FoundMark?
        do throws(MarkFlaw) { old = try FoundMark(path, trust: trust, lock: lock) } catch {
            throw .marked(UnfinishedDirectory(path: path, record: UnfinishedRecord(run: ""), state: .distrusted(error)))
        }
        let directory: ConfinedDirectory
        do throws(FileIOError) {
            directory = try ConfinedDirectory(path: path, owner: owner)
            let user = try directory.modeAndOwner().owner.user
            // The owner's links may lead anywhere: for root, to directories that are not the owner's. What a run of root's
            // has made, and not given away yet, has root's mark.
            guard user == trust.owner ?? trust.user || user == trust.user && old?.isOwn == true else {
                throw FileIOError("could not take directory", path, number: EPERM)
            }
        } catch { throw .init(error) }
        if let old, !old.mayBeReplaced(by: run, data) {
            // If what became of its run cannot be told, it is not in use.
            let state = (try? old.state()) ?? .abandoned
            throw .marked(UnfinishedDirectory(path: path, record: old.record, state: state))
        }
        return (directory, old)
    }
}
