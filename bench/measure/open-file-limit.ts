/** File descriptors that a server or a loader needs besides its connections. */
const RESERVE = 300;

/** How many connections one process may hold here. Node raises its limit to the hard one, and children inherit it. */
export function openFileLimit(): number {
  const { userLimits } = process.report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly hard?: number | string } };
  };
  const hard = Number(userLimits?.open_files?.hard);
  // 'unlimited' is not a number.
  return Number.isNaN(hard) ? Infinity : Math.max(1, hard - RESERVE);
}
