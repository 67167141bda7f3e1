import Glibc
package import UnderstudyPlatform

/// Whose marks a run believes.
package struct MarkTrust: Sendable, Equatable {
    /// The user that runs this.
    package var user: UInt32
    /// A further user, whom root has named as the owner of what it makes.
    package var owner: UInt32?

    /// - Parameter owner: Whom the files of the run are given to; it counts for root alone.
    package init(owner: FileOwner? = nil) {
        user = geteuid()
        self.owner = user == 0 ? owner?.user : nil
    }
}

/// Why nothing is done on the word of a mark.
package enum MarkFlaw: Error, Equatable, Sendable {
    /// It is a symbolic link, a pipe, a directory…
    case notAFile
    case hasOtherNames
    case isTooLarge
    /// Its mode lets others than its owner write to it.
    case isWritable(mode: UInt16)
    case cannotBeRead(number: CInt)
    /// It, or its directory, belongs to this user, who is neither the one that runs this nor the owner it names.
    case belongs(to: UInt32)
    case directoryBelongs(to: UInt32)
    case format(String)
    case line(String)
    /// It was begun, but lies beside other files: so they are not of its run.
    case isNotWhole
    /// It was made for another directory: this one is a copy, or the mark was put here.
    case isOfAnotherDirectory
    /// The data directory of its run can't be looked at, which alone tells what became of the run.
    case dataDirectory(String)
}

/// A directory that a run has left unfinished, or is still filling.
package struct UnfinishedDirectory: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Its process is gone: what lies in it is of no use.
        case abandoned
        /// A process is filling it now.
        case inUse
        /// A server has been started in it since: what it holds may be precious.
        case served
        /// It is complete, with all other directories of its run: marks alone are left.
        case complete
        /// There is a mark, but nobody may act on it.
        case distrusted(MarkFlaw)
    }

    package let path: String
    package let record: UnfinishedRecord
    package let state: State

    /// What the mark in a directory says; nil where there is none.
    package static func find(_ path: String, trust: MarkTrust = MarkTrust()) -> UnfinishedDirectory? {
        do throws(MarkFlaw) {
            guard let found = try FoundMark(path, trust: trust, lock: .look) else { return nil }
            return UnfinishedDirectory(path: path, record: found.record, state: try found.state())
        } catch {
            return UnfinishedDirectory(path: path, record: UnfinishedRecord(run: ""), state: .distrusted(error))
        }
    }

    /// Further directories of the same run that are there, with their marks.
    package func others(trust: MarkTrust = MarkTrust()) -> [String] {
        guard let found = try? FoundMark(path, trust: trust, lock: .look), found.record.run == record.run else {
            return []
        }
        var paths: [String] = []
        found.withOthers { paths.append($0.directory.path) }
        return paths.reversed()
    }

    /// Leaves everything that the run has touched as it was before, this directory last.
    ///
    /// All is looked at again on what is then open: only what belongs to the right user, is marked, and is what the run
    /// has made, is touched.
    ///
    /// - Parameters:
    ///   - includesOthers: Whether the further directories of the run go too.
    ///   - interrupt: Ends it between two files. The marks stay.
    package func remove(
        trust: MarkTrust = MarkTrust(), includesOthers: Bool = true, interrupt: Interrupt? = nil
    ) throws(FileIOError) {
        let found = try reopen(trust, .abandoned)
        if includesOthers { try found.withOthers { other throws(FileIOError) in try other.restore(interrupt) } }
        try found.restore(interrupt)
    }

    /// Takes away the marks of a run that has completed its directories, this one's last.
    package func removeMarks(trust: MarkTrust = MarkTrust(), includesOthers: Bool = true) throws(FileIOError) {
        let found = try reopen(trust, .complete)
        if includesOthers { try found.withOthers { other throws(FileIOError) in try other.removeMark() } }
        try found.removeMark()
    }

    private func reopen(_ trust: MarkTrust, _ expected: State) throws(FileIOError) -> FoundMark {
        let mark = "\(path)/\(UnfinishedMark.name)"
        let found: FoundMark?, state: State?
        do throws(MarkFlaw) {
            found = try FoundMark(path, trust: trust, lock: .exclusive)
            state = try found?.state()
        } catch { throw FileIOError("could not rely any more on mark", mark, number: EPERM) }
        guard let found, found.record.run == record.run else {
            throw FileIOError("could not find again mark", mark, number: ENOENT)
        }
        if state == .inUse { throw FileIOError("could not lock mark", mark, number: EWOULDBLOCK) }
        guard state == expected else { throw FileIOError("could not rely any more on mark", mark, number: EPERM) }
        return found
    }
}
