/// Hides passwords that lines of pg_hba.conf and postgresql.conf may have.
package enum HiddenOptions {
    private static let names = ["ldapbindpasswd=", "radiussecrets=", "password=", "passwd="]

    /// The line without what stands behind the first of them.
    package static func hide(_ line: String) -> String {
        let lower = line.lowercased()
        let places = names.compactMap { name in lower.utf8.firstRange(of: name.utf8).map { $0.upperBound } }
        // Lower case may have another length only behind letters that are not ASCII.
        guard let end = places.min(), lower.utf8.count == line.utf8.count else {
            return places.isEmpty ? line : "********"
        }
        let count = lower.utf8.distance(from: lower.startIndex, to: end)
        return String(decoding: line.utf8.prefix(count), as: UTF8.self) + "********"
    }
}
