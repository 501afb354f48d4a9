export function jobDocument(jobid: string, turn?: number, requestID?: string): string
export function geoprocessingDocument(jobId: string): string
