@_exported public import UnderstudyBackup
@_exported public import UnderstudyCompression
@_exported public import UnderstudyConfiguration
@_exported public import UnderstudyCore
@_exported public import UnderstudyMonitoring
@_exported public import UnderstudyStandby
@_exported public import UnderstudyStreaming
@_exported public import UnderstudyVerification
@_exported public import UnderstudyWAL
@_exported public import UnderstudyWALArchive
@_exported public import UnderstudyWALRecords

#if HTTP
@_exported public import UnderstudyHTTP
#endif
