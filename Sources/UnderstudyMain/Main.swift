import Understudy

@main
struct Main {
    static func main() async {
        var backup = BaseBackup(source: CommandLine.arguments[1], options: .init(checkpoint: .fast))
        backup.options.writeRecoverySettings = CommandLine.arguments.count > 3
        do {
            let result = try await backup.run(into: .directory(CommandLine.arguments[2])) { print($0) }
            print(result)
        } catch { print("ERROR", error) }
    }
}
