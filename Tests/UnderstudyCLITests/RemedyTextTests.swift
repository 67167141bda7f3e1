import Logging
import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("A remedy on the command line")
struct RemedyTextTests {
    @Test(
        "has the options of the command line",
        arguments: [
            (.stallTimeout, "--stall-timeout"), (.existingSlot, "--slot alone"), (.createSlot("s"), "--create-slot"),
            (.recreateSlot("s"), "--recreate-slot"), (.startLSN(nil), "--start-lsn"),
            (.startLSN(LSN(rawValue: 0x700000)), "--start-lsn=0/700000"), (.forceClean, "--force-clean"),
            (.forceClean(owner: "daemon"), "understudy clone --force-clean --owner daemon"),
            (.forceClean(owner: "a b"), "understudy clone --force-clean --owner 'a b'"),
            (.binDirectory, "--bin-dir"), (.wait, "--wait"), (.configFile, "--config-file"),
            (.generateConfig, "--generate-config"), (.standbyPort, "--standby-port"),
            (.serverLog, "--log"), (.role, "-U"), (.resume, "--resume"),
            (.resumeWith([.init(from: "/a", to: "/b")]), "--resume --tablespace-mapping=/a=/b"),
            (.resumeIn("/a b"), "-D '/a b' --resume"),
            (.updateExisting, "--delta"), (.overwriteOtherCluster, "--force-other-cluster"),
            (.recoveryMode, "--mode"), (.restoreCommand, "--archive DIRECTORY or --restore-command COMMAND"),
        ] as [(Remedy.Step, String)])
    func options(step: Remedy.Step, words: String) {
        let remedy: Remedy = "Use \(step), or wait."
        #expect(remedy.commandLineText == "Use \(words), or wait.")
    }

    @Test(
        "maps a tablespace by an option that is one word of a shell",
        arguments: [
            ("/srv/space", nil, "--tablespace-mapping=/srv/space=NEWDIR"),
            ("/srv/space", "/a b", "'--tablespace-mapping=/srv/space=/a b'"),
            ("/proc/$(id)", nil, "'--tablespace-mapping=/proc/$(id)=NEWDIR'"),
            ("/a'b", nil, #"'--tablespace-mapping=/a'\''b=NEWDIR'"#),
            ("/a'\u{301};id", nil, "'--tablespace-mapping=/a'\\''\u{301};id=NEWDIR'"),
            ("/a=b", "/a=b", #"'--tablespace-mapping=/a\=b=/a\=b'"#),
            ("/a\n'b\\\u{9B}", nil, #"$'--tablespace-mapping=/a\012\'b\\\302\233=NEWDIR'"#),
            ("/a\u{FFFD}", nil, "--tablespace-mapping=OLDDIR=NEWDIR"),
        ] as [(String, String?, String)])
    func mapping(old: String, new: String?, word: String) throws {
        let remedy: Remedy = "\(.mapTablespace(from: old, to: new))"
        #expect(remedy.commandLineText == word)
    }

    @Test("is printed for an error, in its JSON and in the log alike")
    func everywhere() throws {
        let remedy: Remedy = "Use \(.forceClean)."
        let error = UnderstudyError(.target, "directory is not empty", remedy: remedy)
        let recorder = Recorder()
        recorder.console().error(error)
        recorder.console().logger.warning("careful", metadata: ["hint": .stringConvertible(remedy)])
        recorder.console().logger.warning("careful", metadata: ["hint": "Look."])
        #expect(
            recorder.errors == """
                pg_basebackup: error: directory is not empty
                pg_basebackup: hint: Use --force-clean.
                pg_basebackup: warning: careful
                pg_basebackup: hint: Use --force-clean.
                pg_basebackup: warning: careful
                pg_basebackup: hint: Look.

                """)
        #expect("\(ProgressJSON.failed(error, last: nil))".contains("Use --force-clean."))
    }
}
