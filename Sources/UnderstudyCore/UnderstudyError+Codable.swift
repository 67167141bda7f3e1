/// Encoded as what a user is shown: `code`, `message`, `detail`, `hint`, `sqlState`. The cause and the steps of the remedy
/// are not encoded.
extension UnderstudyError: Codable {
    private enum Key: String, CodingKey {
        case code, message, detail, hint, sqlState
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        self.init(
            try container.decode(Code.self, forKey: .code), try container.decode(String.self, forKey: .message),
            detail: try container.decodeIfPresent(String.self, forKey: .detail),
            hint: try container.decodeIfPresent(String.self, forKey: .hint),
            sqlState: try container.decodeIfPresent(String.self, forKey: .sqlState))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(code, forKey: .code)
        try container.encode(message, forKey: .message)
        try container.encodeIfPresent(detail, forKey: .detail)
        try container.encodeIfPresent(hint, forKey: .hint)
        try container.encodeIfPresent(sqlState, forKey: .sqlState)
    }
}

/// Encoded as its name.
extension UnderstudyError.Code: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer(), name = try container.decode(String.self)
        guard let code = Self(name: name) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(name)\" is no code of an error")
        }
        self = code
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
