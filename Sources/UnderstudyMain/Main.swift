import Glibc
import UnderstudyCLI

@main
struct Main {
    static func main() async {
        exit(await Program.run(CommandLine.arguments))
    }
}
