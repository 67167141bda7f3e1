@testable import UnderstudyCLI
@testable import UnderstudyConnection
@testable import UnderstudyStandby

/// What libpq says of a login that failed, with a server's words in it.
func fuzzNotices(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    checkPrinted(text)
    let refusal = LoginRefusal(text)
    // At bytes: a line may end in \r, which is one character with what ends the line.
    let lines = text.bytesOfLines, kept = refusal.text.bytesOfLines, location = "LOCATION:  ".utf8
    precondition(!kept.contains { $0.starts(with: location) }, "a place in the server's source code is kept")
    precondition(kept.count <= lines.count, "lines out of nothing")
    precondition(refusal.text.utf8.count <= text.utf8.count, "more than was said")
    guard let server = refusal.server else {
        precondition(kept == lines.filter { !$0.starts(with: location) }, "other words than those that were said")
        return
    }
    let state = Array((server.sqlState ?? "").utf8)
    precondition(
        state.count == 5 && state.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }, "no SQLSTATE")
    precondition(text.utf8.contains(server.message.utf8), "a message that nobody sent")
    for part in [server.severity, server.message, server.detail ?? "", server.hint ?? ""] {
        precondition(!part.utf8.contains(UInt8(ascii: "\n")), "a part of several lines")
    }
    // Taken apart again there is no SQLSTATE to be found but one that stands in a message.
    precondition(LoginRefusal(refusal.text).text.utf8.count <= refusal.text.utf8.count)
}

/// As it is shown to people: nothing that a terminal obeys, and no line that looks like one of the program's own.
private func checkPrinted(_ text: String) {
    let message = PrintedText.message(text), line = PrintedText.line(text)
    for shown in [message, line] {
        let isRaw = shown.unicodeScalars.contains { scalar in
            scalar != "\n" && scalar != "\t" && (scalar.value < 32 || (127..<160).contains(scalar.value))
        }
        precondition(!isRaw, "a control character is shown as it is")
    }
    precondition(!line.utf8.contains(UInt8(ascii: "\n")), "a line of several lines")
    let lines = message.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
    precondition(
        lines.allSatisfy { $0.isEmpty || $0.starts(with: PrintedText.indent.unicodeScalars) },
        "a line that is not indented")
}

/// A pid file as a server that dies, or somebody else, has left it.
func fuzzPidFile(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let file = PostmasterFile(text) else { return }
    // A signal to 0 or below goes to many.
    precondition(file.processID > 0, "a process that is none")
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    for part in [file.socketDirectory, file.listenAddress, file.status].compactMap(\.self) {
        precondition(!part.isEmpty && !part.utf8.contains(UInt8(ascii: "\n")), "a field of no line, or of several")
    }
    let written = [
        "\(file.processID)", "/data", "0", "\(file.port)", file.socketDirectory ?? "", file.listenAddress ?? "", "",
        file.status ?? "",
    ].joined(separator: "\n")
    precondition(PostmasterFile(written) == file, "another file when it is read again")
    // One that is not written to the end is none yet.
    precondition(PostmasterFile(lines.prefix(5).joined(separator: "\n")) == nil, "half a file is read")
}

extension String {
    /// Its lines, without empty ones.
    fileprivate var bytesOfLines: [[UInt8]] { utf8.split(separator: UInt8(ascii: "\n")).map(Array.init) }
}
