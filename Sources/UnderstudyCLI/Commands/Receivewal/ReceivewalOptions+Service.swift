/// Those of a receiver that runs as a service.
extension ReceivewalOptions {
    static let logFormat = CommandOption(
        "log-format", nil, "text|json", isLinked: false,
        help: """
            the form of messages: text, with the time where they do
            not go to a terminal, or a JSON object in each line
            """)
    static let onSegment = CommandOption(
        "on-segment", nil, "COMMAND",
        help: """
            run a shell command for each file that is complete and
            on stable storage: %f is its name, %p its path, and %%
            a percent sign
            """)
    static let retryFirst = CommandOption(
        "retry-first",
        help: """
            try again when the first connection fails, too, while
            the server cannot be reached or is starting
            """)

    static let service = [logFormat, onSegment, retryFirst]
}
