import CUnderstudyPQ

/// The keywords and values of a connection, as libpq parses them from a connection string.
package struct ConnectionParameters: Sendable, Equatable {
    package struct Setting: Sendable, Equatable {
        package var keyword: String
        package var value: String

        package init(keyword: String, value: String) {
            self.keyword = keyword
            self.value = value
        }
    }

    package private(set) var settings: [Setting] = []

    /// - Parameter settings: Each keyword once.
    init(_ settings: [Setting]) {
        self.settings = settings
    }

    /// Parses `keyword=value …` or a URI: PQconninfoParse.
    ///
    /// - Parameter overrides: Keywords that take precedence over those of the string.
    package init(_ string: String, overrides: [String: String] = [:]) throws(ConnectionError) {
        var message: UnsafeMutablePointer<CChar>?
        // libpq returns either options, which PQconninfoFree frees, or a message, which PQfreemem frees.
        guard let options = unsafe PQconninfoParse(string, &message) else {
            defer { unsafe PQfreemem(message) }
            let text = unsafe message.map { unsafe String(cString: $0) } ?? "out of memory"
            throw ConnectionError(
                .parameters, "invalid connection string: \(Self.withoutSecrets(text.trimmedLines, of: string))")
        }
        defer { unsafe PQconninfoFree(options) }
        settings = unsafe Self.settings(of: options)
        for (keyword, value) in overrides.sorted(by: { $0.key < $1.key }) { self[keyword] = value }
    }

    /// Hides the part of the string that libpq quotes if it cannot parse it, since that may be a password.
    private static func withoutSecrets(_ text: String, of string: String) -> String {
        guard string.lowercased().contains("pass") || string.contains("@") else { return text }
        // Single quoted characters that libpq expected stay. The rest may contain quotes itself, so everything up to
        // the last quote is hidden.
        let quotes = text.indices.filter { text[$0] == "\"" }
        var signs = 0
        while signs + 1 < quotes.count, text.distance(from: quotes[signs], to: quotes[signs + 1]) == 2 { signs += 2 }
        guard signs < quotes.count, let last = quotes.last else { return text }
        return text[...quotes[signs]] + "..." + text[last...]
    }

    /// - Parameter options: A list that ends with an entry without a keyword, as libpq's lists do.
    @unsafe static func settings(of options: UnsafeMutablePointer<PQconninfoOption>) -> [Setting] {
        var settings: [Setting] = []
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe settings.append(Setting(keyword: String(cString: keyword), value: String(cString: value)))
            }
            unsafe option += 1
        }
        return settings
    }

    /// The application_name that libpq gives the server by these parameters and the environment: PQconndefaults. nil if there is
    /// none; a service file that the parameters themselves name is not read.
    package var applicationName: String? {
        if let name = self["application_name"], !name.isEmpty { return name }
        var defaults: [Setting] = []
        if let options = unsafe PQconndefaults() {
            // A list of its own, which PQconninfoFree frees.
            defer { unsafe PQconninfoFree(options) }
            defaults = unsafe Self.settings(of: options)
        }
        let name = defaults.first { $0.keyword == "application_name" }?.value ?? self["fallback_application_name"]
        return name.flatMap { $0.isEmpty ? nil : $0 }
    }

    package subscript(keyword: String) -> String? {
        get { settings.first { $0.keyword == keyword }?.value }
        set {
            let index = settings.firstIndex { $0.keyword == keyword }
            switch (index, newValue) {
            case (let index?, let value?): settings[index].value = value
            case (let index?, nil): settings.remove(at: index)
            case (nil, let value?): settings.append(Setting(keyword: keyword, value: value))
            case (nil, nil): break
            }
        }
    }
}

extension String {
    /// The text without trailing white space on each line, and without empty lines.
    var trimmedLines: String {
        unicodeScalars.split(separator: "\n").map { line in
            var line = line
            while let last = line.last, last.properties.isWhitespace { line.removeLast() }
            return String(line)
        }.filter { !$0.isEmpty }.joined(separator: "\n")
    }
}
