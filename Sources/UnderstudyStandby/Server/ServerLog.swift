import UnderstudyConnection
import UnderstudyPlatform

/// The messages in a server's log to standard error, from the start that is looked at on.
///
/// Source: send_message_to_server_log, elog.c: each message begins with log_line_prefix and the severity, in the
/// language of lc_messages; lines with its detail and hint have the same prefix, further lines of a text begin with a
/// tab.
struct ServerLog: Sendable, Equatable {
    /// An error that ended a process or the server.
    struct Failure: Sendable, Equatable {
        /// The severity and the text, as `FATAL:  …`, then detail and hint, each with its word, as the server wrote them.
        var lines: [String]

        /// In one line.
        var text: String { lines.joined(separator: " ") }
    }

    private let lines: [Substring]

    init(_ text: String) {
        lines = text.lines
    }

    /// The first error that ended a process; but a client that came too early did not end anything, and a PANIC, which
    /// ends the server, comes before any FATAL.
    var firstFailure: Failure? {
        failure(of: ServerLogWords.panic) ?? failure(of: ServerLogWords.fatal)
    }

    private func failure(of severity: ServerLogWords) -> Failure? {
        for (index, line) in lines.enumerated() {
            guard line.first != "\t", let text = severity.text(in: line), !KnownText.notReady.stands(in: text) else {
                continue
            }
            var said = [String(text)]
            for next in lines[(index + 1)...] {
                if next.first == "\t" {
                    said[said.count - 1] += " " + next.drop { $0 == "\t" }
                } else if let more = ServerLogWords.detail.text(in: next) ?? ServerLogWords.hint.text(in: next) {
                    said.append(String(more))
                } else {
                    break
                }
            }
            return Failure(lines: (said.count == 1 ? causes(before: index) : []) + said)
        }
        return nil
    }

    /// What the server has logged directly before an error that says little itself: of a faulty configuration, the fault.
    private func causes(before index: Int) -> [String] {
        var causes: [String] = []
        for line in lines[..<index].reversed() {
            guard causes.count < Self.mostCauses, line.first != "\t", let text = ServerLogWords.log.text(in: line),
                !Self.isUsual(text)
            else { break }
            causes.insert(String(text), at: 0)
        }
        return causes
    }

    private static let mostCauses = 3

    /// Lines of every start: the version, and the addresses. An address has a port or a path of a socket in it.
    private static func isUsual(_ text: Substring) -> Bool {
        text.contains("PostgreSQL") || text.contains(".s.PGSQL.") || text.contains("IPv4") || text.contains("IPv6")
    }

    /// Whether a WAL receiver has begun to stream since the start. Known in English only.
    var tellsOfStreaming: Bool { lines.contains { KnownText.startedStreaming.stands(in: $0) } }

    /// Whether the replay has paused. Known in English only.
    var tellsOfPause: Bool { lines.contains { $0.contains("LOG:") && KnownText.pausedReplay.stands(in: $0) } }

    /// The last few lines, in one.
    var lastLines: String { lines.suffix(4).joined(separator: " | ") }
}

/// The words with which a server begins the parts of a message, in all languages that it speaks.
///
/// Source: error_severity and send_message_to_server_log, elog.c, with the catalogues of PostgreSQL 9.3 to 19.
struct ServerLogWords: Sendable {
    private let words: [String]

    static let log = ServerLogWords(words: [
        "LOG:", "LOG :", "LOGG:", "DZIENNIK:", "СООБЩЕНИЕ:", "ЗАПИС:", "ЖУРНАЛ:", "ჟურნალი:", "ログ:", "로그:", "日志:",
        "LOG (GÜNLÜK):",
        "REGISTRO:",
    ])
    static let fatal = ServerLogWords(words: [
        "FATAL:", "FATALE:", "FATALT:", "ВАЖНО:", "ФАТАЛЬНО:", "KATASTROFALNY:", "ფატალური:", "치명적오류:", "致命错误:",
        "ÖLÜMCÜL (FATAL):",
    ])
    static let panic = ServerLogWords(words: [
        "PANIC:", "PANIK:", "PANICO:", "PANIKA:", "PÂNICO:", "ПАНИКА:", "ПАНІКА:", "პანიკა:", "손상:",
        "比致命错误还过分的错误:", "KRİTİK:",
    ])
    static let detail = ServerLogWords(words: [
        "DETAIL:", "DETALLE:", "DÉTAIL:", "DÉTAIL :", "DETTAGLI:", "DETALJ:", "DETALHE:", "DETAY:", "SZCZEGÓŁY:",
        "ПОДРОБНОСТИ:", "ВІДОМОСТІ:", "ДЕТАЛІ:", "დეტალები:", "詳細:", "상세정보:", "详细信息:",
    ])
    static let hint = ServerLogWords(words: [
        "HINT:", "TIPP:", "ASTUCE :", "ASTUCE:", "SUGGERIMENTO:", "TIPS:", "DICA:", "İPUCU:", "PODPOWIEDŹ:",
        "ПОДСКАЗКА:", "УКАЗІВКА:", "ПІДКАЗКА:", "მინიშნება:", "ヒント:", "힌트:", "提示:",
    ])

    /// The line from one of the words on; nil if none begins a message there, behind the prefix of the log and with two
    /// blanks after it.
    func text(in line: some StringProtocol) -> Substring? {
        let line = Substring(line)
        for word in words {
            guard let range = line.firstRange(of: "\(word)  ") else { continue }
            let prefix = line[..<range.lowerBound]
            // What stands behind another word is a part of that message.
            guard prefix.last.map({ !$0.isLetter }) ?? true, !prefix.contains(":  ") else { continue }
            return line[range.lowerBound...]
        }
        return nil
    }
}
