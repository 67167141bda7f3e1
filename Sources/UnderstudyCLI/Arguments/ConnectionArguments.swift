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
    /// The argument of `-d`; the library parses it, so that URIs, services and the environment work as in libpq.
    var source: String
    var overrides: [String: String]
    var password: PasswordPolicy

    /// `-h`, `-p` and `-U` override the connection string, as with the stock tools.
    init(source: String?, host: String?, port: String?, user: String?, password: PasswordPolicy, program: String) {
        self.source = source ?? ""
        self.password = password
        overrides = ["fallback_application_name": program]
        overrides["host"] = host
        overrides["port"] = port
        overrides["user"] = user
    }

    func overrides(password: String?) -> [String: String] {
        var result = overrides
        if let password { result["password"] = password }
        return result
    }
}
