import UnderstudyTestSupport

/// Values at which a reader may go wrong.
enum Values {
    static let numbers = [
        "0", "-1", "1", "2", "00", "01", "+1", " 1", "1 ", "1e3", "0x10", "1.5", "2147483647", "2147483648",
        "4294967295",
        "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "-9223372036854775808", "99999999999999999999999999999999999999", "NaN", "",
    ]
    static let positions = [
        "0/0", "0/1", "0/3000000", "0/3000027", "0/3000029", "0/2FFFFFF", "0/2000000", "0/4000000", "0/3004000", "1/0",
        "FFFFFFFF/FFFFFFFF", "FFFFFFFF/0", "0/FFFFFFFF", "1/00000000", "100000000/0", "0/100000000", "0/", "/0", "0",
        "G/1",
        "0/3000028/1", "-1/0", "0x3/28", "0/3000028\n", " 0/3000028",
    ]
    static let timelines = ["0", "1", "2", "3", "4294967295", "4294967296", "-1", "1 ", "0x1"]
    /// With what makes a terminal, a shell, SQL, a configuration file or a log do something.
    static let texts: [String] = [
        "\u{1B}]0;owned\u{7}", "\u{1B}[2J\u{1B}[31m", "a\n\(Verdict.forged) backup completed\n", "\n\(Verdict.forged)",
        "\r\(Verdict.forged)", "\u{9B}31m", "\u{85}\(Verdict.forged)", "\u{7F}\u{8}\u{8}", "a\tb\u{B}\u{C}",
        "\u{2028}line",
        "$(touch owned)", "`id`", "'; DROP TABLE x; --", "x WITH SUPERUSER LOGIN; --", "0.0.0.0/0 trust #",
        "%s%n%x%99999d",
        "\"quoted\"", "back\\slash\\", "''", "../../etc/passwd", "/etc/passwd", "--help", "-D/", "\u{FFFD}",
        "\u{1F418}",
        "\u{202E}txt", "host=127.0.0.1 sslmode=disable", "on", "off", "true", "lost", "physical", "logical", "sync",
        "quorum",
        String(repeating: "A", count: 70_000), String(repeating: "\n", count: 3000),
        String(repeating: "\u{1B}", count: 3000),
    ]
    static let versions = [
        "0", "8.4.22", "9.2.24", "9.3.25", "9.4", "10.0", "10devel", "11.1", "13.4", "15.3", "18.0", "19beta1", "20.1",
        "99.9",
        "16", "16.", ".16", "-16.4", "999999.1", "4294967296.1", "16.4 (Debian 16.4-1)", "16.4\n\(Verdict.forged)",
        "\u{1B}[31m16.4", "EnterpriseDB", "",
    ]

    static func any(_ random: inout SplitMix64) -> String {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: numbers.randomElement(using: &random)!
        case 1: positions.randomElement(using: &random)!
        case 2: timelines.randomElement(using: &random)!
        case 3:
            String(
                decoding: (0..<Int.random(in: 1..<40, using: &random)).map { _ in
                    UInt8.random(in: 1...255, using: &random)
                }, as: UTF8.self)
        default: texts.randomElement(using: &random)!
        }
    }

    /// Members' names that are another file's, lead away, or are nobody's.
    static func names(_ place: Place) -> [String] {
        [
            "../x", "a/../../x", "./../x", "base/..", "\(place.root)/x", "\(place.root)/outside/file",
            "../data.old/PG_VERSION",
            "../neighbour", "../../home/.ssh/authorized_keys", "../space/x", ".", "..", "", "/", "./x", "base//x",
            "base/./x",
            "postmaster.pid", "postmaster.opts", "base/postmaster.pid", "pgsql_tmp.understudy", "base/pgsql_tmp",
            "pgsql_tmpx",
            "base/pgsql_tmp/pgsql_tmp1.0", "base/1/pgsql_tmp1.2", "global/pgsql_tmp.understudy",
            "base/pgsql_tmp.understudy",
            "pgsql_tmp.understudy.backup_manifest", "pg_internal.init", "global/pg_internal.init",
            "base/1/pg_internal.init.7",
            "backup_manifest", "backup_manifest.tmp", "tablespace_map", "tablespace_map/x", "backup_label",
            "backup_label.old",
            "PG_VERSION", "base/1/PG_VERSION", "pg_hba.conf", "postgresql.conf", "postgresql.auto.conf",
            "postgresql.auto.conf.tmp", "recovery.conf", "recovery.signal", "standby.signal", "current_logfiles.tmp",
            "start.log", "pg_wal/000000010000000000000030", "pg_wal/000000010000000000000031", "pg_xlog/x",
            "pg_wal/00000002.history",
            "pg_wal/archive_status/000000010000000000000030.ready", "pg_wal", "pg_tblspc", "pg_tblspc/16385",
            "pg_tblspc/16385/x",
            "pg_tblspc/16999", "pg_tblspc/016385", "pg_tblspc/16385/PG_16_202307071/x", "pg_replslot/x/state",
            "pg_stat_tmp/x",
            "pg_notify/0000", "global/pg_control", "base/1/1", "base/1", "global", "understudy.conf", "core", "a\nb",
            "a\n\(Verdict.forged)", "\u{1B}]0;x\u{7}", "with space 'quote' \"q\"", "\u{85}",
            String(repeating: "n", count: 100),
            String(repeating: "d/", count: 50), "base/1/12345678", "PG_16_202307071/5/2", "PG_16_202307071/../../x",
            "PG_99_1/x",
        ]
    }

    static let modes = [
        "0000000 ", "0000777 ", "0000666 ", "0007777 ", "0004755 ", "0000600 ", "0000644 ", "0000700 ", "0000750 ",
        "0000640 ",
        "0177777 ", "        ", "-000001 ", "9999999 ", "0000200 ",
    ]
    static let sizes: [[UInt8]] = [
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0],
        [0x80, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Array("77777777777 ".utf8),
        Array("00000000001 ".utf8),
        Array("00000100000 ".utf8), Array("-0000000001 ".utf8), Array("abcdefghijk ".utf8), Array("            ".utf8),
        Array("000000000000".utf8), [UInt8](repeating: 0, count: 12), Array("00017777777 ".utf8),
        Array("00000000777 ".utf8),
    ]
    static let types: [Character] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "D", "L", "K", "M", "N", "S", "V", "x", "g", "X", "Z", " ", "\0",
    ]

    static func links(_ place: Place) -> [String] {
        [
            place.root, "../outside", "../../outside", "\(place.root)/outside", "\(place.home)/.ssh",
            "\(place.elsewhere)/space", place.space,
            place.target, "/", "..", ".", "", "/dev/null", "/proc/self/fd/1", "\(place.elsewhere)/x\n", "base",
            "../neighbour",
        ]
    }

    /// Where a server may say that its tablespaces are.
    static func locations(_ place: Place) -> [String] {
        [
            "\(place.elsewhere)/other", "\(place.elsewhere)/a b'c\"d", "\(place.elsewhere)/\u{1B}[31m",
            "\(place.elsewhere)/$(id)",
            "\(place.elsewhere)/x\n\(Verdict.forged)", "\(place.elsewhere)/space/", "\(place.elsewhere)/./space",
            "\(place.elsewhere)/space/in", place.target, "\(place.target)/base", place.work, place.root, "/", "",
            "relative",
            "../outside", "\(place.home)/.ssh", place.home, "\(place.elsewhere)/empty", "\(place.root)/outside/marked",
            "\(place.root)/outside", "/proc/$(id)", "/proc/self/cwd/data", "/dev/null", "/etc", "/root", "/root/.ssh",
            "/usr/lib",
            "/var/spool/cron", "\(place.elsewhere)/\(String(repeating: "l", count: 300))",
            "\(place.elsewhere)/../home/.ssh", "\(place.elsewhere)/\u{85}c1", "\(place.work)/data.old",
        ]
    }
}
