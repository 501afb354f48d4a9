export function importFault(file: string, specifier: string): string | null
