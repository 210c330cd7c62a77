/** The database's time in epoch milliseconds; parameter $2 stands in for it where it is not null. */
export const nowSql = `coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`
