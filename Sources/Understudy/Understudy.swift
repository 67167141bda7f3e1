@_exported public import UnderstudyArchiver
@_exported public import UnderstudyBackup
@_exported public import UnderstudyConfiguration
@_exported public import UnderstudyReceiver
@_exported public import UnderstudySource
@_exported public import UnderstudyStandby
@_exported public import UnderstudyWAL
