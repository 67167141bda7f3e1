extension Unicode.Scalar {
    /// Whether it is never shown as it is: control characters (C0, DEL, C1), which terminals obey, and those that are not
    /// seen themselves and change how what is beside them reads (direction, line and paragraph separators, tags).
    package var isHidden: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // The joiners belong to the spelling of words in some scripts.
        case .format: self != "\u{200C}" && self != "\u{200D}"
        default: false
        }
    }
}
