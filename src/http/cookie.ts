/** A cookie that only this server is sent, and that no script can read. */
export interface SafeCookie {
  readonly name: string
  readonly value: string
  /** 0 makes the browser forget it. */
  readonly maxAgeMs: number
  /** Sent by https alone. */
  readonly isSecure: boolean
}

/** The value of a `Set-Cookie` (RFC 6265). */
export function setCookie({ name, value, maxAgeMs, isSecure }: SafeCookie): string {
  const maxAge = Math.floor(maxAgeMs / 1000)
  const secure = isSecure ? '; Secure' : ''
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure}`
}

/** All values that a `Cookie` header has under a name: those of other paths and hosts come along. */
export function cookiesNamed(name: string, header = ''): readonly string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}
