import Understudy

extension OptionValues {
    /// The value of `--jobs`: a number, or `auto`.
    func connections() throws(UsageError) -> BaseBackup.Connections {
        guard let text = self[CommonOptions.jobs] else { return .one }
        return text == "auto" ? .automatic : .parallel(try NumberArgument.integer(text, option: "--jobs", in: 1...64))
    }
}
