import Glibc
import UnderstudyCLI

@main
struct Main {
    static func main() {
        exit(Program.run(CommandLine.arguments))
    }
}
