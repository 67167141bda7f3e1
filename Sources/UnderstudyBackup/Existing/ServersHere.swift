import Glibc
import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform

/// The servers that run on this machine, as far as its processes can be seen: whose files must not be touched.
///
/// What runs elsewhere, in another container or over a network file system, is not seen, nor is a server's shared memory.
package struct ServersHere {
    /// One process for each working directory, which is the data directory of a server.
    private var places: [(process: RunningProcess, directory: FileIdentity, path: String?)] = []

    /// - Parameter owner: A user whose processes are looked at as that user, if this one may.
    package init(owner: FileOwner?) {
        var seen: Set<FileIdentity> = []
        for process in RunningProcess.servers() {
            guard let place = process.workingDirectory(owner: owner), seen.insert(place).inserted else { continue }
            places.append((process, place, process.workingPath))
        }
    }

    /// Refuses a data directory in which a server runs, or may do so.
    ///
    /// postmaster.pid may name a process that is gone, or another's by now. What counts is a process that works there. One that
    /// cannot be looked at is no server of this directory if it is another user's: a server starts only as the user that its
    /// data directory belongs to. Of any other the file is believed.
    ///
    /// Source: CreateLockFile and checkDataDir, miscinit.c.
    package func refuse(_ directory: ConfinedDirectory, owner: FileOwner?) throws(UnderstudyError) {
        let here: FileIdentity
        do throws(FileIOError) { here = try directory.identity() } catch { throw UnderstudyError(error) }
        if let found = places.first(where: { $0.directory == here }) {
            throw Self.running(directory.path, "Its process is \(found.process.number).", doubt: "")
        }
        guard let bytes = try? directory.read("postmaster.pid", atMost: 64),
            let number = Int32(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
        else { return }
        // A server that was started alone, for one session, writes its number with a minus sign.
        let process = number == .min ? 0 : abs(number)
        if let running = RunningProcess(process) {
            // A server works in its data directory.
            if let place = running.workingDirectory(owner: owner) {
                if place != here { return }
            } else if let owner, running.user != owner.user {
                return
            }
        } else if !RunningProcess.isHidden(process)
            || owner?.user == geteuid() && RunningProcess.isOfAnotherUser(process)
        {
            return
        }
        throw Self.running(
            directory.path,
            "Its postmaster.pid names process \(process), which runs, and cannot be told from a server.",
            doubt:
                " If that is none (ps -fp \(process)), a crash has left the file: rm \(ShellText.pasted(directory.fullPath("postmaster.pid")))"
        )
    }

    private static func running(_ path: String, _ detail: String, doubt: String) -> UnderstudyError {
        let stop = "Stop it first: pg_ctl -D \(ShellText.pasted(path)) -m fast stop"
        return UnderstudyError(
            .target, "a server runs in directory \"\(path)\"", detail: detail,
            hint: doubt.isEmpty ? stop : "\(stop).\(doubt)")
    }

    /// Refuses a directory outside of the data directory that a running server of another data directory uses, by its links:
    /// of a data directory that was copied with its links, they lead to the original's files.
    ///
    /// - Parameter what: Such as `tablespace directory`.
    func refuseShared(_ path: String, _ what: String, besides data: FileIdentity) throws(UnderstudyError) {
        guard let wanted = try? ConfinedDirectory(path: path).identity() else { return }
        for place in places where place.directory != data {
            guard let other = place.path, let directory = try? ConfinedDirectory(path: other) else { continue }
            var links = ["\(other)/pg_wal", "\(other)/pg_xlog"]
            try? directory.openDirectory("pg_tblspc").forEachEntry { entry throws(FileIOError) in
                links.append("\(other)/pg_tblspc/\(entry.name)")
                return true
            }
            guard links.contains(where: { (try? ConfinedDirectory(path: $0).identity()) == wanted }) else { continue }
            throw UnderstudyError(
                .target, "\(what) \"\(path)\" is in use by the server in \"\(other)\"",
                detail: "A link of this data directory leads there, as if it were a copy of the other one.",
                hint: "Copy into an empty directory, or remove that link first, and map it to another place.")
        }
    }
}
