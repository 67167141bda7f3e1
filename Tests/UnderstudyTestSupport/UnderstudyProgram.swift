import Foundation

/// The program that is tested, as the build made it.
package enum UnderstudyProgram {
    /// Starts the program with a subcommand.
    package static func start(
        _ arguments: [String], environment: [String: String] = [:], input: String = "",
        bound: Duration = .seconds(300)
    ) throws -> Program {
        try Program(
            copy.path, arguments, environment: copy.environment.merging(environment) { $1 }, input: input, bound: bound)
    }

    /// Where the program is that the user postgres can execute, and what it needs in its environment.
    package static var path: String { copy.path }
    package static var environment: [String: String] { copy.environment }

    /// Runs the program to its end.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], bound: Duration = .seconds(300)
    ) throws -> ProgramResult {
        try start(arguments, environment: environment, bound: bound).wait()
    }

    /// A copy that the user postgres can execute, wherever the clone lies: its directory may be closed to others,
    /// and so may the Swift toolchain's with its libraries.
    private static let copy: (path: String, environment: [String: String]) = {
        do {
            let program = try built()
            let directory = try TestDirectory.make("program", mode: 0o755)
            let path = "\(directory)/understudy"
            // Not in this process: a child started meanwhile would inherit the file open for writing, and a file
            // that is open for writing cannot be executed.
            try Program.check("/bin/cp", [program, path], asCaller: true)
            let libraries = try closedLibraries(of: path)
            for library in libraries {
                let name = URL(fileURLWithPath: library).lastPathComponent
                try FileManager.default.copyItem(atPath: library, toPath: "\(directory)/\(name)")
            }
            return (path, libraries.isEmpty ? [:] : ["LD_LIBRARY_PATH": directory])
        } catch {
            fatalError("\(error)")
        }
    }()

    /// Another program of the package, which this user runs where it was built.
    package static func other(_ name: String) throws -> String {
        let path = "\(URL(fileURLWithPath: try built()).deletingLastPathComponent().path)/\(name)"
        guard FileManager.default.isExecutableFile(atPath: path) else { throw SupportError("no program \(path)") }
        return path
    }

    /// The program stands beside the test bundle in the build's directory, unless `UNDERSTUDY_PROGRAM` names another.
    private static func built() throws -> String {
        if let program = ProcessInfo.processInfo.environment["UNDERSTUDY_PROGRAM"] { return program }
        let places =
            [try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")] + CommandLine.arguments
        for place in places where place.hasSuffix(".xctest") {
            let program = URL(fileURLWithPath: place).deletingLastPathComponent().appendingPathComponent("understudy")
            if FileManager.default.isExecutableFile(atPath: program.path) { return program.path }
        }
        throw SupportError("no program understudy beside the test bundle \(places)")
    }

    /// The libraries that we find and the user postgres does not.
    private static func closedLibraries(of program: String) throws -> [String] {
        // "libx.so => /path/libx.so (0x…)", or "libx.so => not found".
        let missing = try Program.run("/usr/bin/ldd", [program]).output.split(separator: "\n")
            .filter { $0.hasSuffix("not found") }.compactMap { $0.split(separator: " ").first }
        guard !missing.isEmpty else { return [] }
        let found = try Program.check("/usr/bin/ldd", [program], asCaller: true).output.split(separator: "\n")
        return missing.compactMap { name in
            found.map { $0.split { $0 == " " || $0 == "\t" } }
                .first { $0.count > 2 && $0[0] == name.trimmingPrefix("\t") }.map { String($0[2]) }
        }
    }
}
