import Testing

@testable import UnderstudyConfiguration

@Suite("Places where no tablespace goes on a server's word")
struct GuardedPlacesTests {
    private static let homes: [ProtectedDirectories.Home] = [
        .init(user: 0, directory: "/root", shell: "/bin/bash"),
        .init(user: 1, directory: "/usr/sbin", shell: "/usr/sbin/nologin"),
        .init(user: 33, directory: "/var/www", shell: "/usr/sbin/nologin"),
        .init(user: 105, directory: "/var/lib/postgresql", shell: "/bin/bash"),
        .init(user: 106, directory: "/var/lib/service", shell: "/bin/false"),
        .init(user: 107, directory: "/", shell: "/bin/sh"), .init(user: 108, directory: "/var/lib", shell: ""),
        .init(user: 1000, directory: "/people/ann", shell: "/bin/bash"),
        .init(user: 1001, directory: "/home/bob/", shell: "/usr/sbin/nologin"),
        .init(user: 1002, directory: "relative", shell: "/bin/bash"),
        .init(user: 1003, directory: "/srv/data/carl", shell: "/bin/bash"),
        .init(user: 65534, directory: "/nonexistent", shell: "/usr/sbin/nologin"),
    ]

    private func holder(_ paths: String..., service: UInt32? = nil, own: String? = nil) -> String? {
        let links = ["/people/ann": "/disk/1/ann", "/etc": "/private/etc"]
        return ProtectedDirectories(homes: Self.homes, service: service, own: own) { links[$0] ?? $0 }.holder(of: paths)
    }

    @Test(
        "are the system's, and the homes of all users",
        arguments: [
            ("/etc", "/etc"), ("/etc/cron.d/x", "/etc"), ("//etc/./cron.d", "/etc"), ("/srv/../etc/x", "/etc"),
            ("/usr/local/pgsql/ts", "/usr"), ("/root/.ssh", "/root"), ("/root/ts", "/root"), ("/bin/x", "/bin"),
            ("/var/spool/cron/crontabs", "/var/spool"), ("/home/nobody-knows/ts", "/home"),
            ("/people/ann", "/people/ann"),
            ("/people/ann/.ssh", "/people/ann"), ("/people/ann/ts/1", "/people/ann"), ("/home/bob/ts", "/home/bob/"),
            ("/disk/1/ann/ts", "/people/ann"), ("/private/etc/x", "/etc"), ("/srv/data/carl/ts", "/srv/data/carl"),
            ("/var/www/html", "/var/www"), ("/var/lib/service/ts", "/var/lib/service"),
            ("/var/lib/postgresql/.ssh", "/var/lib/postgresql"),
            ("/var/lib/postgresql/15/.x/ts", "/var/lib/postgresql"),
            // To file systems a slash and a combining accent are two things.
            ("/root/\u{301}x", "/root"), ("/\u{301}/../etc/x", "/etc"),
            ("/var/lib/postgresql/.\u{301}x", "/var/lib/postgresql"),
        ])
    func guarded(_ path: String, _ directory: String) {
        #expect(holder(path) == directory)
    }

    @Test(
        "are not where servers keep their data, nor what is called alike",
        arguments: [
            "/var/lib/postgresql/ts", "/var/lib/postgresql/15/ts", "/var/lib/postgresql", "/srv/ts", "/srv/data/ts",
            "/mnt/x", "/tmp/ts", "/etcetera", "/user/ts", "/people", "/people/anna", "/var/lib/ts", "/nonexistent/ts",
            "/home2/ts", "/var/spooler", "/srv/.hidden/ts", "/rooted",
        ])
    func free(_ path: String) {
        #expect(holder(path) == nil)
    }

    @Test("are this process's home by its environment, of which only what is hidden counts unless it is an account's")
    func own() {
        #expect(holder("/pgdata/.ssh", own: "/pgdata") == "/pgdata")
        #expect(holder("/pgdata/ts", own: "/pgdata") == nil)
        #expect(holder("/people/ann/ts", own: "/people/ann") == "/people/ann")
        #expect(holder("/people/ann/ts", own: "/disk/1/ann/") == "/people/ann")
        #expect(holder("/tmp/.x", own: "/tmp") == nil)
        #expect(holder("/srv/ts", own: "") == nil)
    }

    @Test("are found behind symbolic links, whatever the path says")
    func links() {
        #expect(holder("/srv/ts", "/etc/ts") == "/etc")
        #expect(holder("/etc/ts", "/srv/ts") == "/etc")
        #expect(holder("/srv/ts", "/disk/1/ann/x") == "/people/ann")
    }

    @Test("of the server's own user only what is hidden, whatever its shell, unless it is somebody's account")
    func service() {
        #expect(holder("/var/lib/service/ts", service: 106) == nil)
        #expect(holder("/var/lib/service/.ssh", service: 106) == "/var/lib/service")
        #expect(holder("/people/ann/ts", service: 1000) == "/people/ann")
        #expect(holder("/root/ts", service: 0) == "/root")
    }
}
