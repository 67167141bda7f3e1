import Logging
import UnderstudyConfiguration
public import UnderstudyCore
import UnderstudyPlatform

extension StandbyDirectory {
    /// Finds what is to be changed, and changes nothing.
    ///
    /// - Throws: ``UnderstudyError/Code/target`` for what is no data directory, has a version that is not known, or in which
    ///   a server runs; ``UnderstudyError/Code/options`` for settings that the version does not have, or values that it
    ///   does not read.
    public func plan(_ options: Options) async throws(UnderstudyError) -> Plan {
        let path = path, logger = logger
        return try await Self.run { () throws(UnderstudyError) in
            try DirectoryPlanner(OpenedDirectory(path, configFile: options.configFile), options, logger).plan()
        }
    }

    /// Makes the changes of a plan. Each file is replaced by a new one of the same mode and owner, so that who reads it
    /// finds the old one or the new one, whole. When it returns, all is on stable storage.
    ///
    /// When it throws, the files are as they were, or the error says which are not.
    ///
    /// - Throws: ``UnderstudyError/Code/target`` if a server was started since; ``UnderstudyError/Code/configuration`` if
    ///   a file was changed since.
    public func apply(_ plan: Plan) async throws(UnderstudyError) {
        let path = path
        try await Self.run { () throws(UnderstudyError) in
            try DirectoryChange(OpenedDirectory(path, configFile: nil), plan).apply()
        }
    }

    private static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(UnderstudyError) -> Value
    ) async throws(UnderstudyError) -> Value {
        try await OwnThread.run("configure", interrupt: Interrupt(), failure: { UnderstudyError($0) }, body)
    }
}

/// Makes the changes of a plan, all or none.
private struct DirectoryChange {
    let opened: OpenedDirectory
    let plan: StandbyDirectory.Plan

    init(_ opened: OpenedDirectory, _ plan: StandbyDirectory.Plan) {
        self.opened = opened
        self.plan = plan
    }

    func apply() throws(UnderstudyError) {
        for change in plan.changes {
            guard try opened.content(change.name) == change.old else {
                throw UnderstudyError(
                    .configuration, "\"\(change.name)\" has changed meanwhile", hint: "Nothing was changed: try again.")
            }
        }
        var passwordFile: PasswordFile?
        var done: [StandbyConfiguration.FileChange] = []
        do throws(UnderstudyError) {
            for change in plan.changes {
                if change.name == plan.passfile {
                    passwordFile = try PasswordFile(change.name, owner: opened.owner)
                    try passwordFile?.add(plan.passwordLines)
                } else {
                    // Noted before: it may be done in part when it fails.
                    done.append(change)
                    try put(change.new, at: change.name)
                }
            }
        } catch {
            throw undo(done, passwordFile, error)
        }
    }

    private func put(_ bytes: [UInt8]?, at path: String) throws(UnderstudyError) {
        let place = try opened.place(of: path)
        do throws(FileIOError) {
            guard let bytes else { return try place.directory.removeDurably(place.name) }
            try place.directory.replaceDurably(
                place.name, by: bytes, temporary: RelativePath("\(path.lastPathComponent).tmp"),
                mode: opened.fileMode)
        } catch { throw UnderstudyError(error) }
    }

    /// Puts back what was there; the error names what could not be put back.
    private func undo(
        _ done: [StandbyConfiguration.FileChange], _ passwordFile: PasswordFile?, _ error: UnderstudyError
    ) -> UnderstudyError {
        passwordFile?.restore()
        var left: [String] = []
        for change in done.reversed() {
            do throws(UnderstudyError) {
                // By what is there: the last one may not have come to it.
                if try opened.content(change.name) != change.old { try put(change.old, at: change.name) }
            } catch { left.append(change.name) }
        }
        var error = error
        let names = left.map { "\"\($0)\"" }.joined(separator: ", ")
        error.detail = left.isEmpty ? "The files are as they were." : "Changed, and not as it was: \(names)."
        return error
    }
}
