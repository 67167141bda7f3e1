/// libpq's connection parameters in the given order, each keyword once.
///
/// The description hides passwords and other secrets.
package struct ConnectionSettings: Hashable, Sendable {
    package struct Setting: Hashable, Sendable {
        package var keyword: String
        package var value: String

        package init(_ keyword: String, _ value: String) {
            self.keyword = keyword
            self.value = value
        }
    }

    package private(set) var settings: [Setting] = []

    package init() {}

    /// If a keyword is repeated, the last value wins, as in libpq.
    package init(_ settings: some Sequence<Setting>) {
        for setting in settings { self[setting.keyword] = setting.value }
    }

    package init(_ settings: KeyValuePairs<String, String>) {
        self.init(settings.map { Setting($0.key, $0.value) })
    }

    /// The value of a keyword; setting nil removes it.
    package subscript(keyword: String) -> String? {
        get { settings.first { $0.keyword == keyword }?.value }
        set {
            let index = settings.firstIndex { $0.keyword == keyword }
            switch (index, newValue) {
            case (let index?, let value?): settings[index].value = value
            case (let index?, nil): settings.remove(at: index)
            case (nil, let value?): settings.append(Setting(keyword, value))
            case (nil, nil): break
            }
        }
    }

    /// The parameters as a connection string.
    ///
    /// Source: PostgreSQL manual, "Keyword/Value Connection Strings".
    package var conninfo: String {
        settings.map { "\($0.keyword)=\(Self.quoted($0.value))" }.joined(separator: " ")
    }

    /// The same without passwords and other secrets.
    package var withoutSecrets: ConnectionSettings {
        ConnectionSettings(settings.filter { !Self.secrets.contains($0.keyword) })
    }

    static func quoted(_ value: String) -> String {
        if !value.isEmpty, value.unicodeScalars.allSatisfy(isPlain) { return value }
        var text = "'"
        for scalar in value.unicodeScalars {
            if scalar == "'" || scalar == "\\" { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        return text + "'"
    }

    /// The stock tools quote everything else, so their files and ours agree.
    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", ".": true
        default: false
        }
    }
}

extension ConnectionSettings: CustomStringConvertible, CustomReflectable {
    private static let secrets: Set<String> = [
        "password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key",
    ]

    /// The connection string with secrets replaced.
    package var description: String {
        var shown = self
        for keyword in Self.secrets where shown[keyword] != nil { shown[keyword] = "********" }
        return shown.conninfo
    }

    package var customMirror: Mirror {
        Mirror(self, children: ["conninfo": description])
    }
}
