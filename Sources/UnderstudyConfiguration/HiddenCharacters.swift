extension Unicode.Scalar {
    /// Whether the character must not be shown as it is: control characters (C0, DEL, C1), which terminals obey, and
    /// invisible characters that change how their neighbours read (direction, line and paragraph separators, tags).
    package var isHidden: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // The joiners are needed to spell words in some scripts.
        case .format: self != "\u{200C}" && self != "\u{200D}"
        default: false
        }
    }
}
