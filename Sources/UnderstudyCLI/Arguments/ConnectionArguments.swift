import Understudy

/// When to ask the user for a password.
enum PasswordPolicy: Sendable, Equatable {
    /// `-w`
    case never
    /// When the server asks for a password that nothing else provides.
    case onDemand
    /// `-W`
    case always
}

/// The server to connect to: the connection string, and the keywords that override it.
struct ConnectionRequest: Sendable, Equatable {
    /// The argument of `-d`, which the library parses, so that URIs, services and the environment work as in libpq.
    var source: ConnectionString
    var password: PasswordPolicy

    /// `-h`, `-p` and `-U` override the connection string, as with the stock tools.
    init(source: String?, host: String?, port: String?, user: String?, password: PasswordPolicy, program: String) {
        self.source = ConnectionString(source ?? "", overrides: ["fallback_application_name": program])
        self.source.overrides["host"] = host
        self.source.overrides["port"] = port
        self.source.overrides["user"] = user
        self.password = password
    }

    func source(password: String?) -> ConnectionString {
        var result = source
        if let password { result.overrides["password"] = password }
        return result
    }
}
