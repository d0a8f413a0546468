/** How many file descriptors a server or a loader needs besides its connections. */
const RESERVE = 300;

/** Returns how many connections one process may hold. Node raises its limit to the hard limit, and children inherit it. */
export function openFileLimit(): number {
  const { userLimits } = process.report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly hard?: number | string } };
  };
  const hard = Number(userLimits?.open_files?.hard);
  // The limit may be the word 'unlimited'.
  return Number.isNaN(hard) ? Infinity : Math.max(1, hard - RESERVE);
}
