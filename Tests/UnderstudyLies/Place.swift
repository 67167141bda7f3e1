import Glibc

/// Where one lie after the other is told: a directory for the copy, and a canary tree around it.
struct Place: Sendable {
    let root: String
    /// The program's home.
    var home: String { "\(root)/home" }
    /// What runs write into.
    var work: String { "\(root)/work" }
    var target: String { "\(work)/data" }
    /// To which the server's tablespace is mapped.
    var space: String { "\(work)/space" }
    var wal: String { "\(work)/wal" }
    var walDirectory: String { "\(work)/waldir" }
    /// Where the server says that its tablespaces are: only an empty directory is there.
    var elsewhere: String { "\(root)/elsewhere" }

    init(_ root: String) {
        self.root = root
        for name in ["", "/home", "/home/.ssh", "/outside", "/outside/marked", "/work", "/elsewhere"] {
            Files.make(directory: root + name)
        }
        Files.make(file: "\(home)/.ssh/authorized_keys", "ssh-ed25519 canary\n")
        Files.make(file: "\(home)/.profile", "# canary\n", mode: 0o644)
        Files.make(file: "\(home)/.pgpass", "*:*:*:nobody:canary\n")
        Files.make(file: "\(root)/outside/file", "precious\n")
        Files.make(file: "\(root)/outside/program", "#!/bin/sh\n", mode: 0o755)
        Files.make(file: "\(work)/neighbour", "precious\n")
        Files.make(directory: "\(work)/data.old")
        Files.make(file: "\(work)/data.old/PG_VERSION", "16\n")
        _ = unsafe symlink("/etc/passwd", "\(root)/outside/link")
        // As a killed run leaves it, whose leavings a server may want removed.
        Files.make(file: "\(root)/outside/marked/file", "precious\n")
        let marked = Files.look("\(root)/outside/marked", as: "")
        Files.make(
            file: "\(root)/outside/marked/pgsql_tmp.understudy",
            "format 2\nrun 1a2b3c\ndirectory \(device("\(root)/outside/marked")) \(marked?.inode ?? 0)\nstage filling\n"
        )
    }

    /// Everything but what runs may write, and the times of the directories that this is in.
    func canary() -> [Files.Look] {
        let written = ["work/data", "work/space", "work/wal", "work/waldir"]
        return Files.tree(root).filter { look in
            !written.contains { look.name == $0 || look.name.hasPrefix("\($0)/") }
        }.map { look in
            guard ["work", "elsewhere", "elsewhere/empty"].contains(look.name) else { return look }
            var look = look
            look.changed = []
            return look
        }
    }

    func clear() {
        for path in [target, space, wal, walDirectory] where Files.look(path, as: "") != nil { Files.removeTree(path) }
        if Files.names(elsewhere) != ["empty"] || !Files.names("\(elsewhere)/empty").isEmpty {
            Files.removeTree(elsewhere)
            Files.make(directory: elsewhere)
        }
        Files.make(directory: "\(elsewhere)/empty", mode: 0o755)
        _ = unsafe chmod("\(elsewhere)/empty", 0o755)
    }

    private func device(_ path: String) -> UInt {
        // SAFETY: `info` lives through the call.
        var info = stat()
        _ = unsafe stat(path, &info)
        return UInt(info.st_dev)
    }
}
