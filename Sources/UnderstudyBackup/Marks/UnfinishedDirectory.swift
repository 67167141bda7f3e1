import Glibc
package import UnderstudyPlatform

/// The users whose marks a run trusts.
package struct TrustedUsers: Sendable, Equatable {
    /// The user of this process.
    package var user: UInt32
    /// A further user, named by root as the owner of its files.
    package var owner: UInt32?

    /// - Parameter owner: The owner of the run's files; ignored unless this process runs as root.
    package init(owner: FileOwner? = nil) {
        user = geteuid()
        self.owner = user == 0 ? owner?.user : nil
    }
}

/// Why a mark is not trusted.
package enum MarkFlaw: Error, Equatable, Sendable {
    /// It is a symbolic link, a pipe, a directory…
    case notAFile
    case hasOtherNames
    case isTooLarge
    /// Its mode lets users other than its owner write to it.
    case isWritable(mode: UInt16)
    case cannotBeRead(number: CInt)
    /// It, or its directory, belongs to this user, who is neither the user of this process nor the named owner.
    case belongs(to: UInt32)
    case directoryBelongs(to: UInt32)
    case format(String)
    case line(String)
    /// It is at its first stage, but other files lie beside it, so they are not of its run.
    case isNotWhole
    /// It was made for another directory: this one is a copy, or the mark was put here.
    case isOfAnotherDirectory
    /// The data directory of its run, which alone shows the state of the run, cannot be examined.
    case dataDirectory(String)
}

/// A directory that a run left unfinished, or is still filling.
package struct UnfinishedDirectory: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Its process is gone: its contents are of no use.
        case abandoned
        /// A process is filling it now.
        case inUse
        /// A server has been started in it since: its contents may be valuable.
        case served
        /// It is complete, like all other directories of its run: only marks are left.
        case complete
        /// It has a mark that is not trusted.
        case distrusted(MarkFlaw)
    }

    /// Before 10 it is pg_xlog.
    static let namesOfWAL: [RelativePath] = ["pg_wal", "pg_xlog"]

    package let path: String
    package let record: UnfinishedRecord
    package let state: State

    /// Reads the mark in a directory; nil if there is none.
    package static func find(_ path: String, trust: TrustedUsers = TrustedUsers()) -> UnfinishedDirectory? {
        do throws(MarkFlaw) {
            guard let found = try FoundMark(path, trust: trust, lock: .probe) else { return nil }
            return UnfinishedDirectory(path: path, record: found.record, state: try found.state())
        } catch {
            return UnfinishedDirectory(path: path, record: UnfinishedRecord(run: ""), state: .distrusted(error))
        }
    }

    /// The other directories of the same run that still exist and have their marks.
    package func others(trust: TrustedUsers = TrustedUsers()) -> [String] {
        guard let found = try? FoundMark(path, trust: trust, lock: .probe), found.record.run == record.run else {
            return []
        }
        var paths: [String] = []
        found.withOthers { paths.append($0.directory.path) }
        return paths.reversed()
    }

    /// Restores everything that the run touched to its state before, this directory last.
    ///
    /// Everything is checked again on open descriptors: only directories that belong to the right user, are marked, and
    /// were made by the run are touched.
    ///
    /// - Parameters:
    ///   - includesOthers: Whether the run's other directories are restored too.
    ///   - interrupt: Ends the removal between two files. The marks stay.
    package func remove(
        trust: TrustedUsers = TrustedUsers(), includesOthers: Bool = true, interrupt: Interrupt? = nil
    ) throws(FileIOError) {
        let found = try reopen(trust, .abandoned)
        if includesOthers { try found.withOthers { other throws(FileIOError) in try other.restore(interrupt) } }
        try found.restore(interrupt)
    }

    /// Removes the marks of a run that completed its directories, this directory's last.
    package func removeMarks(trust: TrustedUsers = TrustedUsers(), includesOthers: Bool = true) throws(FileIOError) {
        let found = try reopen(trust, .complete)
        if includesOthers { try found.withOthers { other throws(FileIOError) in try other.removeMark() } }
        try found.removeMark()
    }

    private func reopen(_ trust: TrustedUsers, _ expected: State) throws(FileIOError) -> FoundMark {
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
