import Testing
import UnderstudyTestSupport

@testable import UnderstudyCLI

/// What the shells themselves complete: bash, and zsh and fish where they are installed.
@Suite struct CompletionTests {
    private static func words(_ command: Command) -> [String] {
        ["understudy"] + command.name.split(separator: " ").map(String.init)
    }

    private static func flags(_ command: Command) -> Set<String> {
        Set(command.options.flatMap { option in (option.short.map { ["-\($0)"] } ?? []) + ["--\(option.name)"] })
    }

    @Test(arguments: Shell.found, Command.withPages.map(\.name))
    func `all options of a command are offered`(shell: Shell, name: String) throws {
        let command = try #require(Command.withPages.first { $0.name == name })
        let long = Self.flags(command).filter { $0.hasPrefix("--") }
        // fish offers those with an optional value with and without a sign of equality.
        #expect(Set(try shell.complete(Self.words(command) + ["--"]).map { $0.replacing("=", with: "") }) == long)
        let all = try shell.complete(Self.words(command) + ["-"]).map { $0.replacing("\\", with: "") }
        #expect(Set(all).isSuperset(of: Self.flags(command)))
    }

    @Test(arguments: Shell.found)
    func `commands are offered, and nothing else behind one`(shell: Shell) throws {
        let names = Set(Command.all.map(\.name) + ["help"])
        #expect(try Set(shell.complete(["understudy", ""])).isSuperset(of: names))
        #expect(try shell.complete(["understudy", "cl"]) == ["clone"])
        #expect(
            try Set(shell.complete(["understudy", "help", ""])).filter { !$0.hasPrefix("-") }
                == names.subtracting(["help"]))
        #expect(try shell.complete(["understudy", "clone", "cl"]) == [])
        #expect(try shell.complete(["understudy", "clone", "--slot", "cl"]) == [])
    }

    @Test(arguments: Shell.found)
    func `subcommands are offered behind their command, and their options behind both`(shell: Shell) throws {
        var group = Command.clone, list = Command.clone, check = Command.basebackup
        (group.name, list.name, check.name) = ("archive", "archive list", "archive check")
        (group.subcommands, group.options) = ([list, check], [CommonOptions.help])
        let commands = [CompletedCommand(.clone), CompletedCommand(group)]
        func offered(_ words: String...) throws -> Set<String> {
            Set(try shell.complete(["understudy"] + words, of: commands))
        }
        #expect(try offered("archive", "").isSuperset(of: ["list", "check"]))
        #expect(try offered("archive", "--") == ["--help"])
        #expect(try offered("archive", "list", "--gen") == ["--generate-config"])
        #expect(try offered("archive", "check", "--gen") == [])
        #expect(try offered("archive", "check", "--manifest-checksums", "SHA2") == ["SHA224", "SHA256"])
        #expect(try offered("clone", "archive", "li") == [])
    }

    @Test(
        arguments: Shell.found,
        [
            (["clone", "--checkpoint", ""], ["fast", "spread"]), (["clone", "-c", "f"], ["fast"]),
            (["basebackup", "--manifest-checksums", "SHA2"], ["SHA224", "SHA256"]),
            (["basebackup", "-Z", "server-"], ["server-gzip", "server-lz4", "server-zstd"]),
            (["receivewal", "--compress", ""], ["gzip", "lz4", "none", "zstd"]),
            (["help", "--completions", ""], ["bash", "fish", "zsh"]),
        ])
    func `fixed words are offered as values`(shell: Shell, line: ([String], [String])) throws {
        #expect(try shell.complete(["understudy"] + line.0).sorted() == line.1)
    }

    @Test(arguments: Shell.found.filter { $0 != .fish })
    func `older names are not offered, but their values are`(shell: Shell) throws {
        #expect(try shell.complete(["understudy", "basebackup", "--xlog-method", "fe"]) == ["fetch"])
        #expect(try shell.complete(["understudy", "basebackup", "--xlog-m"]) == [])
    }

    @Test(arguments: Shell.found)
    func `a value behind the sign of equality is completed`(shell: Shell) throws {
        func values(_ word: String) throws -> [String] {
            try shell.complete(["understudy", "basebackup", word]).map {
                $0.split(separator: "=").last.map(String.init) ?? ""
            }
        }
        #expect(try values("--checkpoint=").sorted() == ["fast", "spread"])
        #expect(try values("--progress=j") == ["json"])
        // It takes none.
        #expect(try values("--no-sync=") == [])
    }

    @Test(arguments: Shell.found)
    func `directories and files are offered where they are meant`(shell: Shell) throws {
        let place = try TestDirectory.make("completion", mode: 0o755)
        try TestDirectory.make(at: "\(place)/folder", mode: 0o755)
        try TestDirectory.write("", to: "\(place)/file", mode: 0o644)
        func offered(_ option: String) throws -> [String] {
            try shell.complete(["understudy", "clone", option, "\(place)/f"]).map {
                String($0.split(separator: "/").last ?? "")
            }.sorted()
        }
        #expect(try offered("-D") == ["folder"])
        #expect(try offered("--passfile") == ["file", "folder"])
        #expect(try offered("--label") == [])
        let backups = try shell.complete(["understudy", "archive", "prune", "--keep-from=\(place)/f"])
        #expect(backups.map { String($0.split(separator: "/").last ?? "") }.sorted() == ["file", "folder"])
    }

    @Test func `characters that a shell obeys are quoted`() {
        let option = CommandOption("weird", "w", "A:B", help: "it's [x] and $y: more")
        let completed = CompletedOption(option)
        #expect(completed.summary == "it's [x] and $y")
        #expect(
            ZshCompletions.specification(completed)
                == #"'*-w+[it'\''s \[x\] and $y]:A\:B: ' '*--weird=[it'\''s \[x\] and $y]:A\:B: '"#)
        #expect(FishCompletions.specification(completed) == #"-s w -l weird -x -d 'it'\''s [x] and $y'"#)
    }

    @Test(arguments: [
        ("fast|spread", ["fast", "spread"]), ("DIRECTORY", nil), ("a|", nil), ("[a|b]c", nil), ("a", nil),
    ])
    func `fixed words are told from placeholders`(word: String, words: [String]?) {
        #expect(ValueKind.fixedWords(word) == words)
    }
}

/// A shell that completes a command line with what the program prints for it.
enum Shell: String, CaseIterable {
    case bash, zsh, fish

    static let found = allCases.filter { FileTree.exists("/usr/bin/\($0.rawValue)") }

    /// - Parameter words: The last one is being completed.
    func complete(_ words: [String], of commands: [CompletedCommand] = CompletedCommand.all) throws -> [String] {
        let shell = CompletionShell(rawValue: rawValue)!, directory = try TestDirectory.make("shell", mode: 0o755)
        defer { TestDirectory.removeTree(directory) }
        let file = "\(directory)/_understudy"
        try TestDirectory.write(shell.completions(of: commands), to: file, mode: 0o644)
        let result = try UnderstudyTestSupport.Program.run(
            "/usr/bin/\(rawValue)", options + ["-c", script, rawValue, file] + words,
            environment: ["HOME": directory, "TERM": "xterm"], asCaller: true)
        guard result.status == 0, result.errorOutput == "" else { throw SupportError("\(result)") }
        return result.output.split(separator: "\n").map(String.init)
    }

    private var options: [String] {
        switch self {
        case .bash: ["--norc", "--noprofile"]
        case .zsh: ["-f"]
        case .fish: ["--no-config"]
        }
    }

    private var script: String {
        switch self {
        case .bash:
            // What readline would offer by itself; and the words as it would take them apart.
            """
            compopt() {
                if [[ $2 == dirnames ]]; then compgen -d -- "${COMP_WORDS[COMP_CWORD]}"
                else compgen -f -- "${COMP_WORDS[COMP_CWORD]}"; fi
            }
            source "$1"; shift
            COMP_WORDS=()
            for word; do
                if [[ $word == --*=* ]]; then
                    COMP_WORDS+=("${word%%=*}" =)
                    [[ ! ${word#*=} ]] || COMP_WORDS+=("${word#*=}")
                else
                    COMP_WORDS+=("$word")
                fi
            done
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _understudy
            [[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
            """
        case .zsh:
            // In a terminal of its own, since completion works nowhere else; compadd writes what it is given.
            #"""
            zmodload zsh/zpty
            file=$1; shift
            zpty shell zsh -f -i
            lines=(
                "PROMPT=; unsetopt zle_bracketed_paste; fpath=(${(q)file:h} \$fpath)"
                "autoload -Uz compinit && compinit -u -D"
                "zstyle ':completion:*' list-prompt ''"
                "null-line () { BUFFER=; print over >${(q)file:h}/over }; zle -N null-line; bindkey '^X' null-line; bindkey '^I' complete-word"
                "compadd () { if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd \"\$@\"; return; fi; typeset -a __hits; builtin compadd -A __hits \"\$@\"; [[ -z \$__hits ]] || print -rl -- \$__hits >>${(q)file:h}/offered; builtin compadd \"\$@\" }"
                "print re''ady"
            )
            for line in $lines; do zpty -w shell $line; done
            zpty -r -m shell text '*ready*'
            zpty -w -n shell "${(j: :)@}"$'\t\x18'
            until [[ -e ${file:h}/over ]]; do zpty -r -t shell text || sleep 0.01; done
            [[ ! -e ${file:h}/offered ]] || sort -u ${file:h}/offered
            zpty -d shell
            """#
        case .fish:
            """
            source $argv[2]
            complete -C (string join ' ' -- $argv[3..]) | string replace -r '\\t.*' ''
            true
            """
        }
    }
}
