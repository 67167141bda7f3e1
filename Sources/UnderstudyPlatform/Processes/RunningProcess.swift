import CUnderstudyLinux
import Glibc

/// A process that lives, as the kernel knows it.
///
/// Source: proc(5).
package struct RunningProcess: Sendable, Equatable {
    package let number: Int32
    /// When it began, in ticks since the machine was started. With its number it stands for one process for ever.
    package let began: UInt64
    /// Whose rights it has.
    package let user: UInt32

    /// nil where there is no such process, or it has ended and nobody has taken note of that yet.
    package init?(_ number: Int32) {
        guard number > 0, let process = try? ConfinedDirectory(path: "/proc/\(number)"),
            let began = Self.began(process), let user = Self.user(process)
        else { return nil }
        self.number = number
        self.began = began
        self.user = user
    }

    /// Whether it still lives.
    package var isAlive: Bool { RunningProcess(number) == self }

    /// Whether there is a process that this one may not look at (the mount option hidepid of proc(5)).
    package static func isHidden(_ number: Int32) -> Bool {
        guard number > 0, kill(number, 0) == 0 || errno == EPERM else { return false }
        return (try? ConfinedDirectory(path: "/proc/\(number)").read("stat", atMost: 1)) == nil
    }

    /// Now, as the times at which processes begin are counted: when a thread began that was made for this. Any clock might be
    /// another one, in a container. Where no thread can be had, it is when this process began.
    package static func now() -> UInt64? {
        let began = Monitor<UInt64?>(nil)
        let thread = try? OwnThread("clock") {
            let now = (try? ConfinedDirectory(path: "/proc/thread-self")).flatMap { Self.began($0) }
            began.update { $0 = now }
        }
        thread?.join()
        return began.read { $0 } ?? RunningProcess(getpid())?.began
    }

    /// The directory that it works in; nil where that is not told.
    ///
    /// - Parameter owner: Whose processes are looked at, by one who may become that user: without CAP_SYS_PTRACE, as in a
    ///   container, root sees less of a user's processes than that user does.
    package func workingDirectory(owner: FileOwner?) -> FileIdentity? {
        let path = "/proc/\(number)/cwd"
        var info = stat(), place = understudy_file_place()
        // Both calls fill their struct.
        if unsafe stat(path, &info) == 0 { return FileIdentity(info) }
        guard let owner, unsafe understudy_locate_as(path, owner.user, owner.group, &place) == 0 else { return nil }
        return FileIdentity(device: place.device, inode: place.inode)
    }

    /// The 22nd field of `stat`; the second is in parentheses and may hold anything. nil for one that has ended (Z, X).
    private static func began(_ process: ConfinedDirectory) -> UInt64? {
        guard let bytes = try? process.read("stat", atMost: 4096), let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let state = fields[0].first, ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(state)
        else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }

    /// The second number of the line `Uid:` of `status`.
    private static func user(_ process: ConfinedDirectory) -> UInt32? {
        guard let bytes = try? process.read("status", atMost: 4096) else { return nil }
        let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: Array("Uid:".utf8)) }
        guard let line else { return nil }
        let fields = line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
        return fields.count > 2 ? UInt32(String(decoding: fields[2], as: UTF8.self)) : nil
    }
}
