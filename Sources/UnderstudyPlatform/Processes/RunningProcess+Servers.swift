import Glibc

/// Finds servers that have not written postmaster.pid yet.
extension RunningProcess {
    /// The processes of a server that is starting in a directory, whether or not it has written postmaster.pid: pg_ctl,
    /// and the postmaster that it starts. They run as the directory's owner, have it as their working directory, and
    /// name a data directory (`-D`).
    ///
    /// - Parameter since: The earliest start time of a matching process.
    package static func programs(ofServerIn directory: ConfinedDirectory, since: UInt64) -> [RunningProcess] {
        guard let here = try? directory.identity(), let owner = try? directory.modeAndOwner().owner,
            let entries = try? ConfinedDirectory(path: "/proc").entries()
        else { return [] }
        return entries.compactMap { entry in
            guard let number = Int32("\(entry.name)"), let process = RunningProcess(number), process.user == owner.user,
                process.began >= since, process.arguments.contains(where: { $0.elementsEqual("-D".utf8) }),
                process.workingDirectory(owner: owner) == here
            else { return nil }
            return process
        }
    }

    /// All processes of PostgreSQL servers, by the name of their program, which they keep whatever title they show.
    package static func servers() -> [RunningProcess] {
        guard let entries = try? ConfinedDirectory(path: "/proc").entries() else { return [] }
        return entries.compactMap { entry in
            guard let number = Int32("\(entry.name)"),
                let name = try? ConfinedDirectory(path: "/proc/\(number)").read("comm", atMost: 64),
                name.elementsEqual("postgres\n".utf8) || name.elementsEqual("postmaster\n".utf8)
            else { return nil }
            return RunningProcess(number)
        }
    }

    /// The path of its working directory; nil if it cannot be read.
    package var workingPath: String? {
        (try? ConfinedDirectory(path: "/proc/\(number)"))?.linkTarget("cwd")
    }

    /// The words of its command line; empty if they cannot be read.
    package var arguments: [ArraySlice<UInt8>] {
        let bytes = try? ConfinedDirectory(path: "/proc/\(number)").read("cmdline", atMost: 1 << 16)
        return (bytes ?? []).split(separator: 0, omittingEmptySubsequences: false)
    }

    /// Sends the process a signal, if it is still running.
    ///
    /// - Parameter group: Whether to signal its whole process group, if it leads one.
    package func send(_ signal: CInt, group: Bool = false) {
        guard isAlive else { return }
        _ = kill(group && getpgid(number) == number ? -number : number, signal)
    }
}
