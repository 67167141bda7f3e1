import UnderstudyConfiguration
package import UnderstudyConnection

/// How a server is reached: a libpq connection string, and keywords that override it.
///
/// ```swift
/// let plain: ConnectionString = "host=10.0.0.1 user=r"
/// let other = ConnectionString("postgresql://db1,db2", overrides: ["user": "archiver"])
/// ```
///
/// It may hold a password, so it is neither `Codable` nor logged.
///
/// Source: libpq, "Connection Strings" and "Parameter Key Words".
public struct ConnectionString: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// `keyword=value …` or a `postgresql://` URI, with one host or several. Empty for libpq's defaults, which come from
    /// the environment.
    public var text: String
    /// Keywords and values that take precedence over those in `text`: `["host": "10.0.0.1"]`.
    public var overrides: [String: String]

    public init(_ text: String, overrides: [String: String] = [:]) {
        self.text = text
        self.overrides = overrides
    }

    public init(stringLiteral text: String) {
        self.init(text)
    }
}

extension ConnectionString {
    /// The text without passwords and other secrets: itself if it has none, and as `keyword=value …` if not; nil if it cannot
    /// be read.
    package static func withoutSecrets(_ text: String) -> String? {
        guard let parameters = try? ConnectionParameters(text) else { return nil }
        let settings = ConnectionSettings(
            parameters.settings.map { ConnectionSettings.Setting($0.keyword, $0.value) })
        let kept = settings.withoutSecrets
        return kept == settings ? text : kept.conninfo
    }
}

extension ConnectionParameters {
    /// Parses a connection string.
    package init(reading source: ConnectionString) throws(UnderstudyError) {
        do throws(ConnectionError) { try self.init(source.text, overrides: source.overrides) } catch {
            throw UnderstudyError(error)
        }
    }
}
