import Glibc
import UnderstudyCLI

@main
struct Main {
    static func main() {
        let status = Program.run(CommandLine.arguments)
        // Everything is written. What libraries do at exit would only free memory, amid the threads that are left.
        _exit(status)
    }
}
