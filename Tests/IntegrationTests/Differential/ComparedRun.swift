import Foundation
import Glibc
import UnderstudyTestSupport

/// What a caller sees of one run: exit status, output, errors and what is left, with everything masked that differs between
/// any two runs.
struct ComparedRun: Equatable {
    var status: Int32
    var output: String
    var errors: [String]
    var tree: [String]

    /// Which of the two tools.
    struct Tool {
        var name: String
        var path: String
        var environment: [String: String]
    }

    /// Runs a tool in a directory of its own, in which everything has the same name for both.
    init(_ tool: Tool, _ words: [String], in place: String, number: Int) throws {
        let directory = "\(place)/\(tool.name)"
        TestDirectory.removeTree(directory)
        for name in ["", "/nonempty", "/empty"] { try TestDirectory.make(at: directory + name) }
        for name in ["/nonempty/x", "/file"] { try TestDirectory.write("x\n", to: directory + name) }
        let words = words.map {
            $0.replacing("{PWD}", with: directory).replacing("{N}", with: "\(number)_\(tool.name)")
        }
        // In that directory.
        let result = try Program(
            "/bin/sh", ["-c", "cd \(directory) && exec \"$@\" < /dev/null", "sh", tool.path] + words,
            environment: tool.environment
        ).wait()
        let mask = { (text: String) in Self.mask(text, directory, tool.path) }
        status = result.status
        // Archives differ in times: what they hold is looked at elsewhere.
        output = result.output.utf8.count > 10_000 ? "an archive" : mask(result.output)
        // Between which lines progress stands, and how often, depends on the time.
        let lines = mask(result.errorOutput).split(separator: "\n").map(String.init)
        errors = lines.filter { $0 != "PROGRESS" } + (lines.contains("PROGRESS") ? ["PROGRESS"] : [])
        tree = Self.tree(directory, mask)
        TestDirectory.removeTree(directory)
    }

    private static func mask(_ text: String, _ directory: String, _ path: String) -> String {
        var text = text.replacing(directory, with: "{PWD}").replacing(path, with: "PROGRAM")
        text.replace(/[0-9A-F]+\/[0-9A-F]{2,8}\b/, with: "LSN")
        text.replace(/pg_basebackup_[0-9]+/, with: "SLOT")
        text.replace(/made[0-9]+_[a-z]+/, with: "made")
        text.replace(/START TIME: .*/, with: "START TIME")
        text.replace(/\(file [0-9A-F]{24}\)/, with: "(file)")
        // The stock tool writes defaults out.
        text.replace(/primary_conninfo = .*/, with: "primary_conninfo")
        // How it points to the help, version 15 changed.
        text.replace(/(pg_basebackup: hint: )?Try "pg_basebackup --help" for more information.\n/, with: "")
        // How many lines of progress there are depends on the time.
        text.replace(/( *[0-9]+\/[0-9]+ kB \([0-9]+%\), [0-9]\/[0-9] tablespaces?.*\n)+/, with: "PROGRESS\n")
        text.replace(/( *LSN kB \([0-9]+%\), [0-9]\/[0-9] tablespaces?.*\n)+/, with: "PROGRESS\n")
        return text
    }

    /// Names, kinds and modes; sizes and contents of what any two backups of an idle server have in common.
    private static func tree(_ directory: String, _ mask: (String) -> String) -> [String] {
        (FileManager.default.subpaths(atPath: directory) ?? []).compactMap { name -> String? in
            // Whether a segment is known to be complete, and how many there are, is a matter of time.
            if name.hasSuffix(".done") || name.hasSuffix("pg_internal.init") { return nil }
            // SAFETY: `status` lives through the call.
            var status = stat()
            guard unsafe lstat("\(directory)/\(name)", &status) == 0 else { return nil }
            let last = name.split(separator: "/").last ?? ""
            if last.utf8.count == 24 { return "a segment of WAL" }
            var content = ""
            switch last {
            case "postgresql.auto.conf", "backup_label", "tablespace_map", "PG_VERSION", "standby.signal":
                content = mask((try? FileTree.text("\(directory)/\(name)")) ?? "").replacing("\n\n", with: "\n")
            default:
                let isRelation = name.contains("/base/") || name.contains("/global/")
                if isRelation, status.st_mode & S_IFMT == S_IFREG { content = "\(status.st_size)" }
            }
            return "\(name) \(String(status.st_mode, radix: 8)) \(content)"
        }.sorted().reduce(into: []) { lines, line in if lines.last != line { lines.append(line) } }
    }

    /// Without lines that this tool says of its own accord: hints and details, of which callers of the stock tool know
    /// nothing.
    func withoutOwnLines(comparedWith other: ComparedRun) -> ComparedRun {
        var run = self
        run.errors.removeAll { line in
            !other.errors.contains(line)
                && ["pg_basebackup: hint: ", "pg_basebackup: detail: "].contains { line.hasPrefix($0) }
        }
        return run
    }
}

/// A command line's words: blanks between them, single quotes around some.
func shellWords(_ line: String) -> [String] {
    var words: [String] = [], word: String?, isQuoted = false
    for character in line {
        switch character {
        case "'":
            isQuoted.toggle()
            word = word ?? ""
        case " " where !isQuoted:
            if let word { words.append(word) }
            word = nil
        default: word = (word ?? "") + String(character)
        }
    }
    return words + (word.map { [$0] } ?? [])
}
