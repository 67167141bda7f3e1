import Foundation
import Glibc
import UnderstudyConfiguration

/// The rules and faults of a pg_hba.conf, in the columns of pg_hba_file_rules.
func readRules(_ text: String, version: Int) -> [String] {
    HostRulesFile(Array(text.utf8), version: version).lines.compactMap { line in
        switch line.content {
        case .nothing, .include: return nil
        case .fault: return "\(line.number)|t||||||"
        case .rule(let rule):
            var columns = ["\(line.number)", "f", rule.connection.rawValue]
            columns.append(rule.databases.map(\.text).joined(separator: "^"))
            columns.append(rule.roles.map(\.text).joined(separator: "^"))
            switch rule.address {
            case nil: columns += ["", ""]
            case .all: columns += ["all", ""]
            case .sameHost: columns += ["samehost", ""]
            case .sameNetwork: columns += ["samenet", ""]
            case .name(let name): columns += [name, ""]
            case .network(let network): columns += [digits(network.address), digits(network.mask)]
            }
            columns.append(rule.method)
            return columns.joined(separator: "|")
        }
    }
}

/// An address as inet_ntop(3) has it, and so the server.
private func digits(_ bytes: [UInt8]) -> String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    // SAFETY: the address has the length of its family, and the buffer that of the longest text.
    guard unsafe inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else {
        return ""
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
